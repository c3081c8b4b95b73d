"""An OpenID provider as Google is one, small but strict: who asks wrongly gets nothing."""

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from joserfc import jws
from joserfc.jwk import RSAKey

from tests.doubles.server import Call, LoopbackServer, Reply

CLIENT_ID = "movie-finder.apps.example.com"
CLIENT_SECRET = "GOCSPX-very/secret+value"
DISCOVERY = "/.well-known/openid-configuration"

Person = dict[str, Any]
GMAIL: Person = {"sub": "1001", "email": "ada@gmail.com", "email_verified": True}
WORKSPACE: Person = {"sub": "1002", "email": "ada@corp.example.com", "email_verified": True, "hd": "corp.example.com"}
ELSEWHERE: Person = {"sub": "1003", "email": "ada@example.com", "email_verified": True}
UNVERIFIED: Person = {"sub": "1004", "email": "ada@example.com", "email_verified": False}


@cache
def rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


def signed(claims: Person, kid: str = "one") -> str:
    """An id_token, signed as Google signs it."""
    header = {"alg": "RS256", "kid": kid, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims), rsa_key(kid), algorithms=["RS256"])


def signed_by_none(claims: Person) -> str:
    return ".".join([_encoded({"alg": "none", "kid": "one"}), _encoded(claims), ""])


def signed_by_public_key(claims: Person) -> str:
    """HS256, with the public key as the secret: who takes any algorithm takes this."""
    content = ".".join([_encoded({"alg": "HS256", "kid": "one"}), _encoded(claims)])
    digest = hmac.digest(rsa_key("one").as_pem(private=False), content.encode(), "sha256")
    return f"{content}.{_base64(digest)}"


def _encoded(value: Person) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


async def consented(authorization_url: str) -> str:
    """Where the provider sends the browser of somebody who presses the button."""
    async with httpx.AsyncClient(verify=False) as browser:  # loading certificates takes longer than the rest
        page = await browser.get(authorization_url)
        assert page.status_code == 200, page.text
        back = await browser.get(authorization_url.replace("/authorize?", "/consent?"))
    return back.headers["location"]


class OidcDouble(LoopbackServer):
    """Everybody who consents is `person`.

    Attributes:
        faults: what is answered at a path instead.
        changes: made to the claims of every id_token; a None takes a claim away.
        sign: makes an id_token of the claims.
        published: the kids of the keys that are shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[str, tuple[dict[str, str], Person]] = {}
        self.behave()

    def behave(self) -> None:
        """Begin afresh: a provider as it should be, and Ada before it."""
        self.latency = 0.0
        self.person = GMAIL
        self.faults: dict[str, Reply] = {}
        self.changes: Person = {}
        self.sign: Callable[[Person], str] = signed
        self.published = ["one"]

    @property
    def settings(self) -> dict[str, str]:
        """What a service must be told to use this provider."""
        return {
            "google_client_id": CLIENT_ID,
            "google_client_secret": CLIENT_SECRET,
            "google_discovery_url": self.url + DISCOVERY,
        }

    def count(self, path: str) -> int:
        return sum(call.path == path for call in self.calls)

    def reply(self, call: Call) -> Reply:
        if call.path in self.faults:
            return self.faults[call.path]
        answers: dict[tuple[str, str], Callable[[Call], Reply]] = {
            ("GET", DISCOVERY): lambda _: _json(self.discovery()),
            ("GET", "/authorize"): self._ask,
            ("GET", "/consent"): self._consent,
            ("POST", "/token"): self._token,
            ("GET", "/keys"): lambda _: _json({"keys": [rsa_key(k).as_dict(private=False) for k in self.published]}),
        }
        answer = answers.get((call.method, call.path))
        return answer(call) if answer else Reply(status=404)

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": "https://accounts.google.com",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _ask(self, call: Call) -> Reply:
        asked = call.parameters
        if not _is_well_asked(asked):
            return Reply(b"400. That's an error.", status=400)
        denied = f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
        fields = "".join(f'<input type="hidden" name="{n}" value="{html.escape(v)}">' for n, v in asked.items())
        page = (
            f"<!doctype html><title>Sign in</title><h1>Movie Finder wants to know who you are</h1>"
            f'<form action="/consent">{fields}<button>Continue as {html.escape(self.person["email"])}</button></form>'
            f'<a href="{html.escape(denied)}">Cancel</a>'
        )
        return Reply(page.encode(), content_type="text/html; charset=utf-8")

    def _consent(self, call: Call) -> Reply:
        asked = call.parameters
        if not _is_well_asked(asked):
            return Reply(b"400. That's an error.", status=400)
        code = f"4/{secrets.token_urlsafe(24)}"
        self._codes[code] = (asked, self.person)
        query = urlencode({"state": asked["state"], "code": code, "scope": asked["scope"], "authuser": "0"})
        return Reply(status=302, headers={"location": f"{asked['redirect_uri']}?{query}"})

    def _token(self, call: Call) -> Reply:
        sent = dict(parse_qsl(call.body.decode()))
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {expected}":
            return _json({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
        asked, person = self._codes.pop(sent.get("code", ""), ({}, {}))
        challenge = _base64(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        told = (sent.get("grant_type"), sent.get("redirect_uri"), challenge)
        if told != ("authorization_code", asked.get("redirect_uri"), asked.get("code_challenge")):
            return _json({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        access_token = f"ya29.{secrets.token_urlsafe(16)}"
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "azp": CLIENT_ID,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 3600,
            "nonce": asked["nonce"],
            "at_hash": _base64(half),
            **person,
            **self.changes,
        }
        id_token = self.sign({name: value for name, value in claims.items() if value is not None})
        answer = {"access_token": access_token, "expires_in": 3599, "scope": asked["scope"], "token_type": "Bearer"}
        return _json({**answer, "id_token": id_token})


def _is_well_asked(asked: dict[str, str]) -> bool:
    wanted = {"client_id": CLIENT_ID, "response_type": "code", "code_challenge_method": "S256"}
    has_all = all(len(asked.get(name, "")) >= 32 for name in ("state", "nonce", "code_challenge"))
    return has_all and wanted.items() <= asked.items() and "openid" in asked.get("scope", "").split()


def _json(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status=status)
