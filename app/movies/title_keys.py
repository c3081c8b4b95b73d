"""A title's keys: what is left of it when everything that people write in different ways is taken out."""

import re

from app.core.text import fold

# The longest title that IMDb has is under 250 characters; what is longer is compared by its beginning.
KEY_LENGTH = 200
MOST_CHARACTERS = 1_000
# So many pieces of a title are looked at, and what follows belongs to the last of them.
MOST_PIECES = 4

# Letters of the Latin alphabet that Unicode does not take apart.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
# English, French, German, Spanish, Italian.
_ARTICLES = "the|a|an|le|la|les|une?|der|die|das|eine?|el|los|las|una|il|lo|gli|uno"
_APOSTROPHE = "['`\u2018\u2019\u02bc]"
_DASH = "[-\u2013\u2014]"
# A year behind the title, and what a cut leaves of "Dr. Strangelove or: How I Learned to Stop Worrying".
_TAIL = re.compile(r"\s*\([0-9]{4}\)$|,?\s+or$", re.IGNORECASE)
_MOVED_ARTICLE = re.compile(rf",\s*((?:{_ARTICLES})\b|l{_APOSTROPHE})(?=\s*(?:$|[:(]|{_DASH}\s))", re.IGNORECASE)
_FIRST_ARTICLE = re.compile(rf"^\W*(?:(?:{_ARTICLES})\s+|l{_APOSTROPHE}\s*)(?=.*\w)")
_AND = re.compile("[&+]")
_INITIALS = re.compile(r"\b[A-Z]{2,3}\b(?!\.)")
_OTHER_AND = re.compile(r"\s(?:and|[&+])\s", re.IGNORECASE)
# The scripts from Devanagari to Myanmar write vowels with marks, which count as no letters.
_WORD = re.compile("(?:[^\\W_]|[\u0900-\u109f])+")
# Most titles are: nothing is to be cut from them, and nothing in them but words to be written otherwise.
_PLAIN = re.compile("[A-Za-z0-9 ]*")
_BETWEEN_PIECES = re.compile(rf"(?:,?\s+or\s*)?(?::(?=\s)|;|[()\[\]])|\s{_DASH}+\s|,\s+or\s+", re.IGNORECASE)
_NO_TEXT = re.compile("[\x00-\x1f\x7f\ufffd\ud800-\udfff]+")

_ROMAN = {
    numeral: str(number)
    for number, numeral in enumerate(
        ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv", "xvi"), 1
    )
}
_ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORDS = {word: str(number) for number, word in enumerate(_ENGLISH, 1)} | {
    "the": "",
    "doctor": "dr",
    "mister": "mr",
    "saint": "st",
    "versus": "vs",
    "volume": "vol",
    "pt": "part",
}


def title_key(title: str) -> str:
    """What titles are compared by; "" where there is nothing to compare.

    >>> title_key("The Lord of the Rings: The Two Towers")
    'lordofrings2towers'
    >>> title_key("Lord of the Rings, The - The 2 Towers")
    'lordofrings2towers'
    """
    words = _words(_clean(title))
    # No title begins with a Roman numeral: "V for Vendetta", "X-Men".
    numbered = words[:1] + [_ROMAN.get(word, word) for word in words[1:]]
    key = "".join(_WORDS.get(word, word) for word in numbered)
    return (key or "".join(fold(_clean(title)).split()))[:KEY_LENGTH]


def _words(text: str) -> list[str]:
    if _PLAIN.fullmatch(text):
        return _FIRST_ARTICLE.sub("", text.lower(), count=1).split()
    text = fold(text).translate(_LETTERS).replace(".", "")
    text = _FIRST_ARTICLE.sub("", _MOVED_ARTICLE.sub("", text), count=1)
    return _WORD.findall(re.sub(_APOSTROPHE, "", _AND.sub(" and ", text)))


def title_keys(title: str) -> list[str]:
    """The key of the whole title, and those of what is left when subtitles, or what comes before them, are cut."""
    if _PLAIN.fullmatch(title):
        return [title_key(title)]
    pieces = _pieces(title)
    endings = [" ".join(pieces[n:]) for n in range(1, len(pieces))]
    keys = [title_key(title), *_beginnings(pieces), *map(title_key, endings)]
    return list(dict.fromkeys(key for key in keys if key)) or [""]


def beginnings(title: str) -> list[str]:
    """The keys of what is left of a title when subtitles are cut."""
    return _beginnings(_pieces(title))


def _beginnings(pieces: list[str]) -> list[str]:
    cut = [" ".join(pieces[:n]) for n in range(1, len(pieces))]
    if len(pieces) > 2:  # noqa: PLR2004 - "Star Wars: Episode V - The Empire Strikes Back" without the episode
        cut.append(f"{pieces[0]} {pieces[-1]}")
    return [key for key in map(title_key, cut) if key]


def askable(title: str) -> str:
    """The title as another service may know it: its article in front, without a year behind it."""
    text = _clean(title)
    moved = _MOVED_ARTICLE.search(text)
    if moved is None:
        return text
    article = f"{moved[1]} " if moved[1].isalpha() else moved[1]  # "The " or "L'"
    return article + text[: moved.start()] + text[moved.end() :]


def main_title(title: str) -> str:
    """The title without its subtitles, and spelt the other way: with "&" for "and", with "L.A." for "LA"."""
    text = _INITIALS.sub(_with_points, askable(_pieces(title)[0]))
    return _OTHER_AND.sub(lambda found: " & " if found[0].strip().isalpha() else " and ", text)


def _with_points(word: re.Match[str]) -> str:
    return word[0] if word[0].lower() in _ROMAN else "".join(f"{letter}." for letter in word[0])


def first_year(year: str | None) -> int | None:
    """The first year in what upstream writes: "1997–2007"."""  # noqa: RUF002 - it writes an en dash
    found = re.search("[0-9]{4}", year or "")
    return int(found[0]) if found else None


def _clean(title: str) -> str:
    text = " ".join(_NO_TEXT.sub(" ", title[:MOST_CHARACTERS]).split())
    return _TAIL.sub("", text) or text


def _pieces(title: str) -> list[str]:
    pieces = [piece.strip() for piece in _BETWEEN_PIECES.split(_clean(title), maxsplit=MOST_PIECES - 1)]
    return [piece for piece in pieces if piece] or [""]
