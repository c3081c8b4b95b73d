"""What Google publishes of itself: where its endpoints are, and the keys that it signs with."""

import asyncio
import time
from typing import Annotated, Any, Generic, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from app.upstream.errors import Reason, UpstreamError
from app.upstream.transport import Transport

# What Google's own Cache-Control allows for both documents.
DOCUMENT_SECONDS = 3600.0
# What Authlib and joserfc let out where an answer's members are not of the types that they should be.
GARBLED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)

T = TypeVar("T")
_Address = Annotated[str, StringConstraints(pattern="^https?://")]


class Endpoints(BaseModel):
    """The discovery document (OpenID Connect Discovery 1.0, section 3)."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    authorization_endpoint: _Address
    token_endpoint: _Address
    jwks_uri: _Address


class GoogleDocuments:
    """Fetches the documents, and keeps each for as long as it is fresh.

    Args:
        service: Google's name in logs and errors.
        discovery_url: where the first of them is.
        deadline: seconds that one call may take.
    """

    def __init__(self, service: str, discovery_url: str, *, deadline: float) -> None:
        self._service = service
        self._deadline = deadline
        self._secure = discovery_url.startswith("https://")
        self._discovery = Transport(service, discovery_url, deadline=deadline)
        self._endpoints: _Kept[Endpoints] = _Kept()
        self._keys: _Kept[KeySet] = _Kept()

    async def endpoints(self) -> Endpoints:
        """Where Google's endpoints are.

        Raises:
            UpstreamError: the document could not be had, or is none.
        """
        async with self._endpoints.lock:
            if (known := self._endpoints.value()) is not None:
                return known
            document = await self._discovery.get_json("")
            try:
                found = Endpoints.model_validate(document)
            except ValidationError:
                raise UpstreamError(self._service, Reason.GARBLED) from None
            addresses = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
            if self._secure and not all(address.startswith("https://") for address in addresses):
                raise UpstreamError(self._service, Reason.GARBLED)  # the client secret goes there
            return self._endpoints.keep(found)

    async def keys(self, *, anew: bool = False) -> KeySet:
        """The keys that Google signs with, as kept or fetched `anew`.

        Raises:
            UpstreamError: they could not be had, or are none.
        """
        endpoints = await self.endpoints()
        async with self._keys.lock:
            if not anew and (known := self._keys.value()) is not None:
                return known
            transport = Transport(self._service, endpoints.jwks_uri, deadline=self._deadline)
            try:
                document: Any = await transport.get_json("")
                usable = [key for key in document["keys"] if key["kty"] == "RSA"]
                return self._keys.keep(KeySet.import_key_set({"keys": usable}))
            except (JoseError, *GARBLED):
                raise UpstreamError(self._service, Reason.GARBLED) from None
            finally:
                await transport.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._discovery.close()


class _Kept(Generic[T]):
    """A document, for as long as it is fresh; its lock has it fetched once."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self._value: T | None = None
        self._until = 0.0

    def value(self) -> T | None:
        """The document, where it is known and fresh."""
        return self._value if time.monotonic() < self._until else None

    def keep(self, value: T) -> T:
        """Keep a new one."""
        self._value, self._until = value, time.monotonic() + DOCUMENT_SECONDS
        return value
