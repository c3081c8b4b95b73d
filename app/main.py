"""The ASGI application: `app.main:app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi_pagination import add_pagination
from starlette.middleware.cors import CORSMiddleware

from app import api
from app.account_data.service import AccountData
from app.admin import site
from app.ai import quota_headers
from app.ai.advice import Advisor
from app.ai.figures import quota_figures
from app.ai.metered import MeteredSuggestions
from app.ai.recommendations import Recommendations
from app.ai.router import SEARCH, STREAM
from app.ai.search import AiSearch
from app.ai.top import TopMovies, TopRenewal
from app.auth.google import GoogleSignIn
from app.auth.passwords import ARGON2ID, Argon2id, Passwords
from app.auth.service import Accounts
from app.auth.tokens import TokenIssuer
from app.core import health, metrics_page, problems, throttling
from app.core.database import Database, database_url
from app.core.docs import documented_app
from app.core.figures import Figures
from app.core.http import AllowedHosts, BodyLimit, ForwardedHeaders, HeadAsGet
from app.core.observability import LastResort, RequestLog, configure_logging
from app.core.overload import Overload, refuse
from app.core.security_headers import SecurityHeaders
from app.core.sql_watch import SqlLimits
from app.imports.uploads import MAX_UPLOAD_BYTES
from app.movies.enrichment import Enrichment, Freshness
from app.movies.resolution import TitleResolver
from app.movies.search import MovieSearch
from app.movies.service import Catalogue
from app.settings import Settings, load_settings
from app.upstream.services import upstream_services
from app.work import work_figures, working

# The largest body that an operation takes, the movies of a collection at their most and by the longest ids, is 107 KB;
# what is over this is refused as it arrives. Uploads have a limit of their own.
MAX_BODY_BYTES = 128 * 1024
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
EXPOSED_HEADERS = ["Retry-After", "X-Request-ID", "X-Search-Source", *throttling.HEADERS, *quota_headers.HEADERS]


def create_app(settings: Settings, argon2id: Argon2id = ARGON2ID) -> FastAPI:
    """The whole service; `argon2id` is what it hashes passwords with."""
    configure_logging(settings.log_level)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            embedded = database_url(settings)
            url = await asyncio.to_thread(embedded.__enter__)
            stack.push_async_callback(asyncio.to_thread, embedded.__exit__, None, None, None)
            database = Database(url, pool_size=settings.db_pool_size, limits=SqlLimits.configured(settings))
            stack.push_async_callback(database.close)
            figures = Figures(database, [work_figures, quota_figures])
            stack.push_async_callback(figures.close)
            throttles = throttling.Throttles.configured(settings)
            stack.push_async_callback(throttles.close)
            upstream = await stack.enter_async_context(upstream_services(settings))
            search = MovieSearch(database)
            if upstream.provider and upstream.titles:
                enrichment = Enrichment(database, upstream.titles, Freshness.configured(settings))
                search = MovieSearch(database, upstream.provider, enrichment)
            stack.push_async_callback(search.close)
            recommendations = Recommendations(database, by_claude=upstream.claude is not None)
            stack.push_async_callback(recommendations.close)
            top_movies = TopMovies(database, by_claude=upstream.claude is not None)
            stack.push_async_callback(top_movies.close)
            resolver = TitleResolver(database, upstream.finder)
            suggestions = None
            if upstream.claude:
                suggestions = MeteredSuggestions(database, upstream.claude, settings.max_prompt_tokens_length)
            if settings.run_jobs:
                await stack.enter_async_context(working(settings, url))
            tokens = TokenIssuer.configured(settings)
            accounts = Accounts(database, Passwords(argon2id), tokens)
            yield {
                "settings": settings,
                "database": database,
                "catalogue": Catalogue(database),
                "movie_search": search,
                "recommendations": recommendations,
                "top_movies": top_movies,
                "top_renewal": TopRenewal(database, Advisor.configured(database, upstream)),
                "ai_search": AiSearch(database, resolver, suggestions, settings.ai_timeout_seconds),
                "token_issuer": tokens,
                "accounts": accounts,
                "account_data": AccountData(database, accounts),
                "throttles": throttles,
                "figures": figures,
                "google_sign_in": GoogleSignIn.configured(settings, database, accounts, upstream.google),
            }

    app = documented_app(lifespan=lifespan, max_body_size=MAX_BODY_BYTES)
    # The routes keep that limit; the application's own would answer in plain text, outside of every handler.
    app.max_body_size = None
    api.include(app)
    site.mount(app, settings)
    add_pagination(app)
    problems.install(app)
    cors = partial(
        CORSMiddleware,
        allow_origins=settings.cors_allowed_origins,
        allow_methods=METHODS,
        allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        expose_headers=EXPOSED_HEADERS,
    )
    # The last added is the first to see a request.
    app.add_middleware(BodyLimit, usual=MAX_BODY_BYTES, largest=MAX_UPLOAD_BYTES)
    app.add_middleware(quota_headers.AiQuotaHeaders, paths=(SEARCH, STREAM))
    app.add_middleware(HeadAsGet)
    app.add_middleware(AllowedHosts, allowed_hosts=settings.allowed_hosts, exempt=health.LIVE)
    app.add_middleware(LastResort)
    app.add_middleware(cors)
    app.add_middleware(SecurityHeaders, documentation="/api/")
    app.add_middleware(ForwardedHeaders, trusted=settings.trusted_proxies)
    app.add_middleware(RequestLog)
    app.add_middleware(Overload, refusal=cors(refuse), exempt=[health.LIVE, metrics_page.PATH])
    return app


app = create_app(load_settings())
