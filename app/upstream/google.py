"""Google as an OpenID provider (https://developers.google.com/identity/openid-connect/openid-connect).

The authorization code flow with PKCE, on Authlib: where to send a person, and who came back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import httpx2
import structlog
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, StringConstraints

from app.upstream.calls import counted
from app.upstream.connections import tls_context
from app.upstream.errors import Reason, UpstreamError
from app.upstream.google_documents import GARBLED, Endpoints, GoogleDocuments

SCOPE = "openid email profile"
# Google's documentation names both; a deployment with a provider of its own (GOOGLE_DISCOVERY_URL) adds that one's.
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
# The only one: a token that is signed otherwise, or not at all, is not looked at.
ALGORITHM = "RS256"
# How far Google's clock and ours may be apart.
LEEWAY_SECONDS = 60
# RFC 6749 section 5.2; other words than these are not repeated in the log.
OAUTH_ERRORS = {
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
}

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GoogleIdentity:
    """Who somebody is to Google.

    Attributes:
        subject: Google's id of the account, never used for another.
        email_verified: whether Google has seen it proved that the address is this person's.
        hosted_domain: the Google Workspace domain that the account belongs to.
    """

    subject: str
    email: str
    email_verified: bool
    hosted_domain: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """What binds an answer of Google's to the question; secret until then, and shown in no log.

    Attributes:
        state: comes back beside the code.
        nonce: comes back in the id_token.
        verifier: PKCE's: goes with the code, and proves that it was asked for here (RFC 7636).
        redirect_uri: where the code was sent to.
    """

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class _Claims(BaseModel):
    """What of an id_token is of use here. OpenID Connect Core, section 2, has the subject's limits."""

    model_config = ConfigDict(strict=True)

    sub: Annotated[str, StringConstraints(pattern="^[!-~]{1,255}$")]
    email: Annotated[str, StringConstraints(min_length=3, max_length=320)]
    email_verified: bool = False
    hd: str | None = None


class Google:
    """A client for Google's OpenID provider.

    Args:
        discovery_url: where its discovery document is.
        deadline: seconds that one call may take, the documents that it needs included.
    """

    name = "google"

    def __init__(self, client_id: str, client_secret: str, discovery_url: str, *, deadline: float) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._deadline = deadline
        self._documents = GoogleDocuments(self.name, discovery_url, deadline=deadline)

    async def authorization_url(self, proof: Proof) -> str:
        """Where a person logs in at Google, and from where they come back to `proof.redirect_uri`.

        Raises:
            UpstreamError: Google's addresses could not be had.
        """
        async with self._in_time():
            endpoints = await self._documents.endpoints()
        async with self._oauth_client() as client:
            url, _ = client.create_authorization_url(
                endpoints.authorization_endpoint,
                state=proof.state,
                code_verifier=proof.verifier,
                nonce=proof.nonce,
                redirect_uri=proof.redirect_uri,
            )
        return str(url)

    async def identity(self, code: str, proof: Proof) -> GoogleIdentity:
        """Who it is that came back with `code`.

        Raises:
            UpstreamError: Google does not take the code, gave no answer, or none that can be trusted.
        """
        async with self._in_time():
            endpoints = await self._documents.endpoints()
            with counted(self.name):
                answer = await self._exchange(endpoints, code, proof)
            return await self._verified(endpoints, answer, proof)

    async def close(self) -> None:
        """Close the connections."""
        await self._documents.close()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except TimeoutError:
            raise UpstreamError(self.name, Reason.TIMEOUT) from None

    def _oauth_client(self) -> AsyncOAuth2Client:
        """A client for one person's login: Authlib's keeps the last answer, and its cookies. `_in_time` limits it."""
        secret = self._client_secret
        return AsyncOAuth2Client(
            self._client_id, secret, scope=SCOPE, code_challenge_method="S256", timeout=None, verify=tls_context()
        )

    async def _exchange(self, endpoints: Endpoints, code: str, proof: Proof) -> dict[str, Any]:
        """What Google gives for the code. Asked once: a code works once."""
        try:
            async with self._oauth_client() as client:
                answer: dict[str, Any] = await client.fetch_token(
                    endpoints.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=proof.verifier,
                    redirect_uri=proof.redirect_uri,
                )
        except OAuthError as error:
            said = str(error.error)
            log.warning("Google refused a code", error=said if said in OAUTH_ERRORS else "other")
            raise UpstreamError(self.name, Reason.REFUSED) from None
        except httpx2.HTTPStatusError:
            raise UpstreamError(self.name, Reason.UNAVAILABLE) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            raise UpstreamError(self.name, Reason.UNREACHABLE) from None
        except GARBLED:
            raise UpstreamError(self.name, Reason.GARBLED) from None
        return answer

    async def _verified(self, endpoints: Endpoints, answer: dict[str, Any], proof: Proof) -> GoogleIdentity:
        """The identity in an id_token that Google has signed, for us, just now, and to this question."""
        try:
            token = await self._signed(answer["id_token"])
            options = {
                "iss": {"essential": True, "values": [*ISSUERS, endpoints.issuer]},
                "aud": {"essential": True, "value": self._client_id},
                "nonce": {"essential": True, "value": proof.nonce},
            }
            known = {"client_id": self._client_id, "nonce": proof.nonce, "access_token": answer.get("access_token")}
            CodeIDToken(token.claims, token.header, options, known).validate(leeway=LEEWAY_SECONDS)
            claims = _Claims.model_validate(token.claims)
        except (JoseError, *GARBLED) as error:
            log.warning("Google's id_token is not taken", error=type(error).__name__)
            raise UpstreamError(self.name, Reason.GARBLED) from None
        return GoogleIdentity(claims.sub, claims.email, claims.email_verified, claims.hd)

    async def _signed(self, token: str) -> jwt.Token:
        """`token`, once its signature has been verified; by keys fetched anew where it names one that is not known."""
        registry = JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
        try:
            return jwt.decode(token, await self._documents.keys(), registry=registry)
        except InvalidKeyIdError:
            return jwt.decode(token, await self._documents.keys(anew=True), registry=registry)
