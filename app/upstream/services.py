"""Which upstream services this deployment has: those whose keys are set."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.settings import Settings
from app.upstream.collectapi import CollectApi
from app.upstream.google import Google
from app.upstream.omdb import Omdb

if TYPE_CHECKING:
    from app.upstream.claude import Claude

# A search makes two calls one after the other, and answers within 10 seconds.
CALL_DEADLINE_SECONDS = 4.0
# Somebody looks at an empty page meanwhile.
GOOGLE_DEADLINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class UpstreamServices:
    """Clients for the services at hand.

    Attributes:
        provider: who finds titles by their words; None where the catalogue does.
        titles: who knows titles by their id; None without any key.
        finder: who knows titles by their name; None without OMDb's key.
        google: whom people may log in with; None without a client id.
        claude: who suggests titles; None without a key.
    """

    provider: Omdb | CollectApi | None
    titles: Omdb | CollectApi | None
    finder: Omdb | None
    google: Google | None
    claude: "Claude | None"


@asynccontextmanager
async def upstream_services(settings: Settings) -> AsyncIterator[UpstreamServices]:
    """The clients, open for as long as the block runs."""
    async with AsyncExitStack() as stack:
        omdb = imdb = google = claude = None
        if settings.omdb_api_key:
            key = settings.omdb_api_key.get_secret_value()
            omdb = Omdb(settings.omdb_api_url, key, deadline=CALL_DEADLINE_SECONDS)
            stack.push_async_callback(omdb.close)
        if settings.imdb_api_key:
            key = settings.imdb_api_key.get_secret_value()
            imdb = CollectApi(settings.imdb_api_url, key, deadline=CALL_DEADLINE_SECONDS)
            stack.push_async_callback(imdb.close)
        if settings.google_client_id and settings.google_client_secret:
            secret = settings.google_client_secret.get_secret_value()
            discovery = settings.google_discovery_url
            google = Google(settings.google_client_id, secret, discovery, deadline=GOOGLE_DEADLINE_SECONDS)
            stack.push_async_callback(google.close)
        if settings.anthropic_api_key:
            # Its SDK takes a second to import, which the other starts need not wait for.
            from app.upstream.claude import Claude  # noqa: PLC0415

            key = settings.anthropic_api_key.get_secret_value()
            claude = Claude(settings.anthropic_base_url, key, settings.anthropic_model)
            stack.push_async_callback(claude.close)
        provider = {"imdb": imdb, "omdb": omdb, "catalogue": None}[settings.search_provider]
        yield UpstreamServices(provider=provider, titles=omdb or imdb, finder=omdb, google=google, claude=claude)
