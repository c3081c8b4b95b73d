"""Text for comparison, for LIKE, and text that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.text import Text, fold, like_pattern

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("AMÉLIE", "amelie"),
        ("Amélie", "amelie"),  # an accent on its own
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("İstanbul", "istanbul"),
        ("Ὀδύσσεια", "οδυσσεια"),
        ("СТАЛКЕР", "сталкер"),
        ("七人の侍", "七人の侍"),
        ("ﬁlm", "film"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER W}ide", "wide"),
        ("\N{MATHEMATICAL BOLD FRAKTUR CAPITAL A}lien", "alien"),
        ("", ""),
    ],
)
def test_folding_forgets_case_accents_and_forms(written: str, folded: str) -> None:
    assert fold(written) == folded


@given(st.text())
def test_folding_twice_is_folding_once(written: str) -> None:
    assert fold(fold(written)) == fold(written)


async def test_a_like_pattern_finds_its_own_text_and_no_other(administrator: AsyncEngine) -> None:
    texts = ["", "%", "_", "\\", "100%", "a_b", "a\\b", "\\%", "a%b\\_c", "plain", "axb", "100x", "a%", "\\\\"]
    like = text("SELECT CAST(:subject AS text) LIKE CAST(:pattern AS text)")
    async with administrator.connect() as connection:
        for subject in texts:
            for sought in texts:
                found = await connection.scalar(like, {"subject": subject, "pattern": like_pattern(sought)})
                assert found == (subject == sought), (subject, sought)


@given(STORABLE.filter(lambda given: "\N{REPLACEMENT CHARACTER}" not in given))
def test_whatever_postgresql_stores_is_text(given: str) -> None:
    assert TypeAdapter(Text).validate_python(given) == given


@pytest.mark.parametrize("given", ["\0", "a\0b", chr(0xD800), f"a{chr(0xDFFF)}", "\N{REPLACEMENT CHARACTER}"])
def test_what_postgresql_cannot_store_or_was_no_utf8_is_no_text(given: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        TypeAdapter(Text).validate_python(given)
    assert refusal.value.errors()[0]["type"] in {"invalid_text", "string_unicode"}
