"""The client for Google, against a real provider on loopback that can misbehave."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.upstream.errors import Reason, UpstreamError
from app.upstream.google import Google, GoogleIdentity, Proof
from app.upstream.google_documents import DOCUMENT_SECONDS
from tests.doubles.oidc import (
    CLIENT_ID,
    CLIENT_SECRET,
    DISCOVERY,
    WORKSPACE,
    OidcDouble,
    consented,
    signed,
    signed_by_none,
    signed_by_public_key,
)
from tests.doubles.server import Reply

DEADLINE = 1.0
PROOF = Proof(state="s" * 43, nonce="n" * 43, verifier="v" * 43, redirect_uri="https://api.example.com/callback/")
ADA = GoogleIdentity("1001", "ada@gmail.com", email_verified=True, hosted_domain=None)


@pytest.fixture
async def provider() -> AsyncIterator[OidcDouble]:
    async with OidcDouble() as server:
        yield server


@pytest.fixture
async def google(provider: OidcDouble) -> AsyncIterator[Google]:
    client = Google(CLIENT_ID, CLIENT_SECRET, provider.url + DISCOVERY, deadline=DEADLINE)
    yield client
    await client.close()


async def consent(google: Google, proof: Proof = PROOF) -> str:
    """The code that somebody comes back with."""
    back = await consented(await google.authorization_url(proof))
    assert back.startswith(proof.redirect_uri)
    return dict(parse_qsl(urlsplit(back).query))["code"]


async def failure(google: Google, code: str | None = None) -> Reason:
    code = code or await consent(google)
    with pytest.raises(UpstreamError) as caught:
        await google.identity(code, PROOF)
    assert CLIENT_SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.reason


async def test_the_authorization_url_asks_for_a_code_with_pkce_state_and_nonce(google: Google) -> None:
    asked = dict(parse_qsl(urlsplit(await google.authorization_url(PROOF)).query))
    assert asked.pop("code_challenge") == create_s256_code_challenge(PROOF.verifier)
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": PROOF.redirect_uri,
        "scope": "openid email profile",
        "state": PROOF.state,
        "nonce": PROOF.nonce,
        "code_challenge_method": "S256",
    }


async def test_a_code_gives_an_identity(google: Google, provider: OidcDouble) -> None:
    assert await google.identity(await consent(google), PROOF) == ADA
    provider.person = WORKSPACE
    found = await google.identity(await consent(google), PROOF)
    assert found == GoogleIdentity(
        "1002", "ada@corp.example.com", email_verified=True, hosted_domain="corp.example.com"
    )


@pytest.mark.parametrize(
    "changes", [{"iss": "accounts.google.com"}, {"aud": [CLIENT_ID]}, {"at_hash": None, "azp": None}]
)
async def test_google_s_spellings_are_taken(google: Google, provider: OidcDouble, changes: dict[str, Any]) -> None:
    provider.changes = changes
    assert await google.identity(await consent(google), PROOF) == ADA


async def test_a_code_works_once_and_with_its_own_verifier_and_redirect_only(google: Google) -> None:
    code = await consent(google)
    await google.identity(code, PROOF)
    assert await failure(google, code) is Reason.REFUSED
    for changes in ({"verifier": "w" * 43}, {"redirect_uri": "https://api.example.com/other/"}):
        other = Proof(
            **{"state": "s" * 43, "nonce": "n" * 43, "verifier": "v" * 43, "redirect_uri": "https://x"} | changes
        )
        with pytest.raises(UpstreamError):
            await google.identity(await consent(google), other)


NOW = int(time.time())


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another.apps.example.com"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"aud": [CLIENT_ID, "another"], "azp": None},
        {"aud": None},
        {"iss": "https://accounts.google.com.evil.example"},
        {"iss": ["https://accounts.google.com"]},
        {"iss": None},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["n" * 43, "x"]},
        {"exp": NOW - 3600},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("nan")},
        {"iat": NOW + 3600},
        {"nbf": NOW + 3600},
        {"at_hash": "bm90IHRoaXMgb25l"},
        {"at_hash": 7},
        {"sub": None},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": "\x00"},
        {"sub": "one\n"},
        {"sub": 1001},
        {"email": None},
        {"email": ["ada@gmail.com"]},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"hd": {}},
    ],
    ids=",".join,
)
async def test_an_id_token_that_does_not_say_what_it_must_is_refused(
    google: Google, provider: OidcDouble, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    assert await failure(google) is Reason.GARBLED


def tampered(claims: dict[str, Any]) -> str:
    head, _, signature = signed(claims).split(".")
    return ".".join([head, signed({**claims, "sub": "9999"}).split(".")[1], signature])


def wrongly_named(claims: dict[str, Any]) -> str:
    """Signed by a key that is not published, in the name of one that is."""
    return ".".join([signed(claims).rpartition(".")[0], signed(claims, "two").rpartition(".")[2]])


@pytest.mark.parametrize("sign", [signed_by_none, signed_by_public_key, tampered, wrongly_named])
async def test_an_id_token_that_is_not_signed_by_google_is_refused(
    google: Google, provider: OidcDouble, sign: Callable[[dict[str, Any]], str]
) -> None:
    provider.sign = sign
    assert await failure(google) is Reason.GARBLED


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "é.é.é", "." * 500, "a" * 200_000, 7, None, {"a": 1}, "W10.W10.W10"]
)
async def test_an_id_token_that_is_none_is_refused(google: Google, provider: OidcDouble, token: object) -> None:
    provider.sign = lambda _: cast("str", token)
    assert await failure(google) is Reason.GARBLED


async def test_keys_are_fetched_anew_for_a_token_that_names_an_unknown_one(
    google: Google, provider: OidcDouble
) -> None:
    await google.identity(await consent(google), PROOF)
    provider.sign, provider.published = lambda claims: signed(claims, "two"), ["one", "two"]
    assert await google.identity(await consent(google), PROOF) == ADA
    assert provider.count("/keys") == 2
    provider.sign = lambda claims: signed(claims, "three")
    assert await failure(google) is Reason.GARBLED
    assert provider.count("/keys") == 3


async def test_documents_are_fetched_once_and_again_when_they_have_had_their_time(
    google: Google, provider: OidcDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(google.authorization_url(PROOF) for _ in range(5)))
    for _ in range(2):
        await google.identity(await consent(google), PROOF)
    assert (provider.count(DISCOVERY), provider.count("/keys")) == (1, 1)
    later = time.monotonic() + DOCUMENT_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    await google.identity(await consent(google), PROOF)
    assert (provider.count(DISCOVERY), provider.count("/keys")) == (2, 2)


BAD_ANSWERS = [
    (Reply(b"<html>503</html>", status=503), Reason.UNAVAILABLE),
    (Reply(b"<html>hello</html>"), Reason.GARBLED),
    (Reply(b"[]"), Reason.GARBLED),
    (Reply(b"{}"), Reason.GARBLED),
    (Reply(b"\xff\xfe"), Reason.GARBLED),
    (Reply(b"[" * 100_000), Reason.GARBLED),
    (Reply(drop=True), Reason.UNREACHABLE),
    (Reply(hang=True), Reason.TIMEOUT),
]


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/keys"])
@pytest.mark.parametrize(
    ("reply", "reason"), BAD_ANSWERS, ids=[f"{reason}-{n}" for n, (_, reason) in enumerate(BAD_ANSWERS)]
)
async def test_whatever_is_wrong_with_google_is_named_in_time(
    google: Google, provider: OidcDouble, path: str, reply: Reply, reason: Reason
) -> None:
    code = "4/code" if path == DISCOVERY else await consent(google)
    provider.faults[path] = reply
    started = time.monotonic()
    assert await failure(google, code) is reason
    assert time.monotonic() - started < DEADLINE + 3
    if path == DISCOVERY:
        with pytest.raises(UpstreamError):
            await google.authorization_url(PROOF)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_client"},
        {"error": "invalid_grant", "error_description": CLIENT_SECRET},
        {"error": ["invalid_grant"]},
        {"error": CLIENT_SECRET},
    ],
)
async def test_a_refusal_is_logged_by_its_name_alone(
    google: Google,
    provider: OidcDouble,
    answer: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.faults["/token"] = Reply(json.dumps(answer).encode(), status=400)
    caplog.set_level("DEBUG")
    assert await failure(google, "4/secret-code") is Reason.REFUSED
    said = caplog.text + "".join(capsys.readouterr())
    assert "Google refused a code" in said
    assert not any(secret in said for secret in (CLIENT_SECRET, "4/secret-code", PROOF.verifier))


@pytest.mark.parametrize(
    "answer", [{"access_token": 1}, {"id_token": "a.b.c", "expires_in": "x"}, {"expires_in": 1e999}]
)
async def test_an_answer_with_members_of_wrong_types_is_garbled(
    google: Google, provider: OidcDouble, answer: dict[str, Any]
) -> None:
    provider.faults["/token"] = Reply(json.dumps(answer).encode())
    assert await failure(google, "4/code") is Reason.GARBLED


@pytest.mark.parametrize(
    "keys", [{}, {"keys": []}, {"keys": None}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, {"keys": [7]}]
)
async def test_keys_that_are_none_are_garbled(google: Google, provider: OidcDouble, keys: dict[str, Any]) -> None:
    provider.faults["/keys"] = Reply(json.dumps(keys).encode())
    assert await failure(google) is Reason.GARBLED


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri", "authorization_endpoint"])
@pytest.mark.parametrize("address", [None, 7, "", "javascript:alert(1)", "http://"])
async def test_a_discovery_document_without_usable_addresses_is_refused(
    google: Google, provider: OidcDouble, endpoint: str, address: object
) -> None:
    document = {**provider.discovery(), endpoint: address}
    provider.faults[DISCOVERY] = Reply(json.dumps(document).encode())
    with pytest.raises(UpstreamError):
        await google.identity("4/code", PROOF)


async def test_an_encrypted_provider_cannot_name_an_address_that_is_not(google: Google) -> None:
    google._documents._secure = True
    with pytest.raises(UpstreamError) as caught:
        await google.authorization_url(PROOF)
    assert caught.value.reason is Reason.GARBLED


def test_nothing_shows_the_proof() -> None:
    assert PROOF.verifier not in repr(PROOF)
