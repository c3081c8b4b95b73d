"""Text as it comes from people and from other services."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

# U+FFFD stands where bytes were no UTF-8; PostgreSQL stores no U+0000; a surrogate alone is no character.
_NO_TEXT = re.compile("[\x00\ufffd\ud800-\udfff]")


def fold(text: str) -> str:
    """`text` for comparison: lower case and without accents, the same on every PostgreSQL whatever its locale.

    >>> fold("AMÉLIE")
    'amelie'
    """
    if text.isascii():
        return text.lower()
    # Twice, as Unicode's own caseless form (UAX #44, NFKC_Casefold): a decomposed character may have a case again.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in text if not unicodedata.combining(character))


def like_pattern(text: str) -> str:
    """`text` for LIKE, each of its characters standing for itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _check(text: str) -> str:
    if _NO_TEXT.search(text):
        raise PydanticCustomError("invalid_text", "Text must be valid Unicode without NUL characters")
    return text


# After constraints on the length, so that they speak of characters and not of items.
IsText = AfterValidator(_check)
Text = Annotated[str, IsText]
