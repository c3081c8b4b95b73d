"""Access tokens: which are taken, and which are not. Tokens are made here without the service's library."""

import hashlib
import hmac
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from sqlalchemy import URL

from tests.accounts import Service, base64url, claims, opened, read, signed
from tests.conftest import SECRET_KEY
from tests.json_schema import Json
from tests.problem_documents import problem

NEW_KEY = "fedcba9876543210-the-key-that-came-after"
OTHER_KEY = "another-key-of-thirty-two-bytes-and-more"


async def me(service: Service, token: str) -> int:
    answer = await service.me({"access": token})
    if answer.status_code != 200:
        problem(answer, 401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    return answer.status_code


async def test_a_token_made_by_the_standard_alone_is_taken(service: Service) -> None:
    user_id = await service.sign_up()
    assert await me(service, signed(claims(user_id))) == 200
    assert await me(service, signed(claims(user_id), kid="7")) == 200


async def test_our_tokens_hold_by_the_standard_alone(service: Service) -> None:
    pair = await service.begin()
    for token in pair.values():
        assert signed(read(token)).count(".") == 2
        head, body, _ = token.split(".")
        assert head == base64url(b'{"alg":"HS256","typ":"JWT"}')
        assert set(read(token)) >= {"iss", "token_type", "exp", "iat", "jti", "user_id", "session_version", "auth_time"}
        assert len(token) < 1000
        assert body


CHANGES: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "expired just now": {"exp": int(time.time()) - 1},
    "without an end": {"exp": None},
    "an infinite end": {"exp": float("inf")},
    "an infinite beginning": {"iat": float("-inf")},
    "an end that is no number": {"exp": "tomorrow"},
    "without a beginning": {"iat": None},
    "without an id": {"jti": None},
    "an id that is none": {"jti": "1"},
    "without an issuer": {"iss": None},
    "another issuer": {"iss": "django"},
    "an issuer like ours": {"iss": "movie-finder "},
    "issuers": {"iss": ["movie-finder"]},
    "without a type": {"token_type": None},
    "a refresh token": {"token_type": "refresh"},
    "another type": {"token_type": "Access"},
    "without a user": {"user_id": None},
    "a user as text": {"user_id": "1"},
    "a user as a fraction": {"user_id": 1.0},
    "a user as a truth": {"user_id": True},
    "a user as a list": {"user_id": [1]},
    "user 0": {"user_id": 0},
    "a negative user": {"user_id": -1},
    "a user past 63 bits": {"user_id": 2**63},
    "a user past 64 bits": {"user_id": 2**64},
    "the highest user": {"user_id": 2**63 - 1},
    "without a session version": {"session_version": None},
    "another session version": {"session_version": 2},
    "a session version as text": {"session_version": "1"},
    "a session version as a truth": {"session_version": True},
    "a huge session version": {"session_version": 10**30},
    "a login time as text": {"auth_time": "0"},
    "without a login time": {"auth_time": None},
    "not yet": {"nbf": 4_000_000_000},
}


@pytest.mark.parametrize("case", CHANGES)
async def test_a_well_signed_token_with_a_wrong_claim_is_refused(service: Service, case: str) -> None:
    await service.sign_up()
    await service.execute("UPDATE users SET id = 1")
    assert await me(service, signed(claims(1))) == 200
    assert await me(service, signed(claims(1, **CHANGES[case]))) == 401


async def test_a_token_of_the_django_service_with_the_same_key_is_refused(service: Service) -> None:
    user_id = await service.sign_up()
    now = int(time.time())
    simplejwt = {"token_type": "access", "exp": now + 300, "iat": now, "jti": "0" * 32, "user_id": user_id}
    for claim in (simplejwt, {**simplejwt, "user_id": str(user_id)}, {**simplejwt, "iss": "django"}):
        assert await me(service, signed(claim)) == 401


@pytest.mark.parametrize("payload", [[], "x", 7, None, {}, [["iss", "movie-finder"]]])
async def test_a_payload_that_is_no_set_of_claims_is_refused(service: Service, payload: Json) -> None:
    assert await me(service, signed(payload)) == 401


async def test_no_other_algorithm_is_taken_whatever_the_token_names(service: Service) -> None:
    good = claims(await service.sign_up())
    assert await me(service, signed(good)) == 200
    body = base64url(b"{}")
    for algorithm in ("none", "None", "NONE", "", "RS256", "ES256", "HS384", "HS512", "hs256", "A256KW", "dir"):
        assert await me(service, signed(good, alg=algorithm)) == 401, algorithm
        unsigned = signed(good, alg=algorithm).rpartition(".")[0]
        for signature in ("", "AA", body):
            assert await me(service, f"{unsigned}.{signature}") == 401, algorithm
    for algorithm, digest in (("HS384", "sha384"), ("HS512", "sha512"), ("HS256", "sha512")):
        assert await me(service, signed(good, digest=digest, alg=algorithm)) == 401, algorithm
    for header in ({"alg": None}, {"alg": ["HS256"]}, {"alg": 7}, {"crit": ["x"], "x": 1, "alg": "none"}):
        assert await me(service, signed(good, **header)) == 401, header


async def test_a_public_key_signs_nothing(service: Service) -> None:
    good = claims(await service.sign_up())
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    unsigned = signed(good, alg="RS256").rpartition(".")[0]
    signature = private.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert await me(service, f"{unsigned}.{base64url(signature)}") == 401
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = {"kty": "oct", "k": base64url(public)}
    assert await me(service, signed(good, public.decode())) == 401
    pointing: dict[str, Any] = {"jwk": jwk, "jku": "https://evil.example/", "kid": "../../dev/null"}
    assert await me(service, signed(good, public.decode(), **pointing)) == 401


async def test_a_token_has_one_spelling(service: Service) -> None:
    good = (await service.begin())["access"]
    assert await me(service, good) == 200
    for other in (
        f"{good}=",
        f"{good}==",
        f"{good}!",
        good.replace(".", "=.", 1),
        good.replace(".", ".\t", 1),
        "." + good,
    ):
        assert await me(service, other) == 401, other


async def test_another_key_or_a_changed_or_cut_token_is_refused(service: Service) -> None:
    pair = await service.begin()
    good = pair["access"]
    assert await me(service, signed(read(good), OTHER_KEY)) == 401
    assert await me(service, signed(read(good), "")) == 401
    head, body, signature = good.split(".")
    other = base64url(b'{"user_id":1}')
    for token in (
        "",
        ".",
        "..",
        "...",
        head,
        f"{head}.{body}",
        f"{head}.{body}.",
        f".{body}.{signature}",
        f"{head}..{signature}",
        f"{head}.{other}.{signature}",
        f"{good}.{signature}",
        f"{good}.",
        good[:-3],
        good.swapcase(),
        f"{head}.{body}.{signature[::-1]}",
        "é" * 20,
        "[" * 4000,
        f"{base64url(b'[' * 2000)}.{body}.{signature}",
        f"{head}.{base64url(b'[' * 2000)}.{signature}",
    ):
        found = await service.client.get(
            "/users/personal-info/", headers=[(b"Authorization", f"Bearer {token}".encode())]
        )
        problem(found, 401, "invalid_token", case=token[:80])


async def test_a_token_nested_deep_is_refused_also_when_it_is_well_signed(service: Service) -> None:
    await service.sign_up()
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    assert await me(service, signed({**claims(1), "user_id": deep})) == 401


async def test_a_token_over_4096_characters_is_not_even_decoded(service: Service) -> None:
    good = claims(await service.sign_up())
    room = 4096 - len(signed({**good, "x": ""}))
    fitting = next(t for n in range(room, 0, -1) if len(t := signed({**good, "x": "y" * (n * 3 // 4)})) <= 4096)
    assert await me(service, fitting) == 200
    longer = signed({**good, "x": "y" * 4096})
    assert len(longer) > 4096
    assert await me(service, longer) == 401


async def test_a_refresh_token_is_never_taken_for_an_access_token(service: Service) -> None:
    pair = await service.begin()
    assert await me(service, pair["refresh"]) == 401
    problem(await service.refresh({"refresh": pair["access"]}), 401, "invalid_token")


async def test_the_keys_of_before_verify_and_sign_nothing(accounts_url: URL, service: Service) -> None:
    old = await service.begin()
    async with opened(accounts_url, secret_key=NEW_KEY) as without:
        assert await me(without, old["access"]) == 401
        problem(await without.refresh(old), 401, "invalid_token")
    async with opened(accounts_url, secret_key=NEW_KEY, secret_key_fallbacks=[OTHER_KEY, SECRET_KEY]) as later:
        assert await me(later, old["access"]) == 200
        new = await later.refreshed(old)
        for token in (*new.values(), *(await later.log_in()).values()):
            assert token == signed_again(token, NEW_KEY)
            assert token != signed_again(token, SECRET_KEY)
        assert await me(later, new["access"]) == 200
        assert await me(later, signed(claims(1), "a-key-that-was-never-one-of-ours-at-all")) == 401
        # The algorithm is the one for every key.
        assert await me(later, signed(read(old["access"]), OTHER_KEY, alg="none")) == 401
    assert await me(service, new["access"]) == 401


def signed_again(token: str, key: str) -> str:
    """`token` with the signature that `key` gives it."""
    body = token.rpartition(".")[0]
    return f"{body}.{base64url(hmac.digest(key.encode(), body.encode(), hashlib.sha256))}"
