"""Tokens of whatever text: read as RFC 7519 has them, or refused by name; against a reader made of nothing but RFCs."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth.tokens import InvalidTokenError, Login, TokenIssuer, TokenType
from tests.accounts import base64url, claims, signed
from tests.conftest import SECRET_KEY
from tests.json_schema import Json

OLD_KEY = "an-older-key-that-only-verifies-what-it-signed"
ISSUER = TokenIssuer(SECRET_KEY, [OLD_KEY], access=timedelta(minutes=5), refresh=timedelta(days=1))
TYPES = st.sampled_from(["access", "refresh"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TYPICAL = st.sampled_from(
    [0, 1, -1, 2**63 - 1, 2**63, 1.0, True, "1", "movie-finder", "access", "refresh", str(UUID(int=7))]
)
LOGINS = st.builds(
    Login, user_id=st.integers(1, 2**63 - 1), session_version=st.integers(0, 2**31), auth_time=st.integers(0, 2**40)
)


def is_taken(token: str, token_type: TokenType) -> bool:
    """Whether it is read; anything but the one refusal is an error."""
    try:
        ISSUER.read(token, token_type)
    except InvalidTokenError:
        return False
    return True


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.text(st.sampled_from("AQgw_-=."), max_size=12), min_size=3, max_size=3).map(".".join),
        st.tuples(st.binary(max_size=30), st.binary(max_size=60), st.binary(max_size=40)).map(
            lambda parts: ".".join(base64url(part) for part in parts)
        ),
        st.tuples(JSON, JSON).map(
            lambda parts: ".".join([*(base64url(json.dumps(part).encode()) for part in parts), base64url(b"x" * 32)])
        ),
    ),
    TYPES,
)
def test_a_text_that_nobody_signed_is_refused(token: str, token_type: TokenType) -> None:
    assert not is_taken(token, token_type)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(claims(1))), JSON | TYPICAL, max_size=3), JSON, TYPES)
def test_well_signed_claims_of_whatever_kind_are_taken_only_where_each_is_right(
    changes: dict[str, Json], stray: Json, token_type: TokenType
) -> None:
    sent = {**claims(7), **changes, "stray": stray}
    token = signed(sent)
    if is_taken(token, token_type):
        assert sent["iss"] == "movie-finder"
        assert sent["token_type"] == token_type
        assert type(sent["user_id"]) is int
        assert 1 <= sent["user_id"] < 2**63
        assert type(sent["session_version"]) is int
        assert type(sent["auth_time"]) is int
        assert int(sent["exp"]) >= int(time.time())
        assert str(UUID(sent["jti"]))
    elif not changes and token_type == "access":
        raise AssertionError(sent)


@settings(deadline=None)
@given(JSON)
def test_signed_json_that_is_no_object_is_refused(content: Json) -> None:
    head = base64url(b'{"alg":"HS256"}')
    body = f"{head}.{base64url(json.dumps(content).encode())}"
    signature = hmac.digest(SECRET_KEY.encode(), body.encode(), "sha256")
    assert not is_taken(f"{body}.{base64url(signature)}", "access")


def verified(token: str) -> dict[str, Any]:
    """The claims of a token by RFC 7515 section 5.2 and RFC 7518 section 3.2 alone."""
    head, body, signature = token.split(".")
    decoded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (head, body, signature)]
    assert json.loads(decoded[0]) == {"alg": "HS256", "typ": "JWT"}
    assert decoded[2] == hmac.new(SECRET_KEY.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    content: dict[str, Any] = json.loads(decoded[1])
    return content


@settings(deadline=None)
@given(LOGINS)
def test_what_is_issued_is_read_back_and_holds_by_the_standard_alone(login: Login) -> None:
    family, jti = uuid4(), uuid4()
    for token_type, token in {
        "access": ISSUER.access(login),
        "refresh": ISSUER.refresh(login, family=family, jti=jti),
    }.items():
        found = ISSUER.read(token, token_type)  # type: ignore[arg-type]
        assert (found.user_id, found.session_version, found.auth_time) == (
            login.user_id,
            login.session_version,
            login.auth_time,
        )
        assert verified(token)["user_id"] == login.user_id
        assert not is_taken(token, "refresh" if token_type == "access" else "access")
    assert (found.family, found.jti) == (family, jti)


GOOD = ISSUER.access(Login(user_id=1, session_version=1))


# Of the last character two bits stand for nothing (RFC 4648 section 3.5): others in its place are the same token.
@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(GOOD) - 2), st.characters(codec="ascii"))
def test_a_token_with_another_character_is_another_token(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    if changed != GOOD:
        assert not is_taken(changed, "access"), changed


@pytest.mark.parametrize(("key", "taken"), [(SECRET_KEY, True), (OLD_KEY, True), (OLD_KEY[:-1], False)])
def test_a_key_that_was_replaced_verifies_and_others_do_not(key: str, *, taken: bool) -> None:
    assert is_taken(signed(claims(1), key), "access") is taken
