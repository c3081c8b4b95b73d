"""Titles by IMDb id: from the catalogue where they are fresh, else from upstream, all at once."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.movies.repository import KnownTitle, MovieRepository, known_titles
from app.settings import Settings
from app.upstream.errors import Reason, UpstreamError
from app.upstream.titles import TitleFacts


class TitleSource(Protocol):
    """An upstream service that knows titles by their IMDb id."""

    async def title(self, imdb_id: str) -> TitleFacts | None:
        """The title, or None where there is none. Raises UpstreamError."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long a stored title counts as fresh."""

    rated: timedelta
    unrated: timedelta

    @classmethod
    def configured(cls, settings: Settings) -> "Freshness":
        """As the settings have it."""
        return cls(timedelta(days=settings.title_ttl_days), timedelta(hours=settings.unrated_title_ttl_hours))

    def is_stale(self, title: KnownTitle) -> bool:
        """Whether upstream should be asked for `title` again."""
        age = self.rated if title.is_rated else self.unrated
        return title.refreshed_at is None or title.refreshed_at < datetime.now(UTC) - age


@dataclass(frozen=True, slots=True)
class Titles:
    """Titles asked for by id.

    Attributes:
        movie_ids: the stored movies, of those that could be had, in the order of the ids asked for.
        complete: False where a failure, not upstream's ignorance, left one out.
    """

    movie_ids: list[int]
    complete: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """What upstream said of some ids: facts, that it knows none, or nothing because it failed."""

    facts: dict[str, TitleFacts]
    unknown: list[str]
    failures: dict[str, UpstreamError]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Titles asked for by id.

    Attributes:
        movies: the stored movies' ids, by the IMDb ids asked for.
        failures: where upstream gave no answer; what is in neither it does not know.
        calls: how many upstream calls it took.
    """

    movies: dict[str, int]
    failures: dict[str, UpstreamError]
    calls: int


class Enrichment:
    """Keeps the catalogue's titles as good as upstream's."""

    def __init__(self, database: Database, source: TitleSource, freshness: Freshness) -> None:
        self._database = database
        self._source = source
        self._freshness = freshness

    async def titles(self, imdb_ids: Sequence[str]) -> Titles:
        """The titles with these ids, stored, in this order.

        The fresh ones come from the catalogue; the others are fetched side by side and stored. A stale one whose
        refresh fails is served as it is; a new one that cannot be had is left out.
        """
        known = await known_titles(self._database, imdb_ids)
        wanted = [i for i in imdb_ids if i not in known or self._freshness.is_stale(known[i])]
        answers = await self._ask(wanted)
        stored = {imdb_id: title.id for imdb_id, title in known.items()}
        if answers.facts or any(i in stored for i in answers.unknown):
            stored |= await self._store(answers)
        # Upstream may know a title by another id than the one it was asked for.
        ids = [answers.facts[i].imdb_id if i in answers.facts else i for i in imdb_ids]
        movie_ids = [stored[i] for i in dict.fromkeys(ids) if i in stored]
        return Titles(movie_ids, complete=not any(i not in stored for i in answers.failures))

    async def fetch(self, imdb_ids: Sequence[str]) -> Fetched:
        """Titles straight from upstream, all asked for side by side, and stored."""
        answers = await self._ask(imdb_ids)
        stored = await self._store(answers) if answers.facts else {}
        known = {i: stored[facts.imdb_id] for i, facts in answers.facts.items() if facts.imdb_id in stored}
        untried = sum(failure.reason is Reason.BREAKER_OPEN for failure in answers.failures.values())
        return Fetched(known, answers.failures, len(imdb_ids) - untried)

    async def refresh(self, calls: int, *, at_once: int = 10) -> int:
        """Fetch the oldest stale titles anew, with at most `calls` upstream calls; returns how many were renewed.

        Raises:
            UpstreamError: upstream stopped answering; what had been fetched until then is stored.
        """
        now = datetime.now(UTC)
        async with self._database.reading() as session:
            freshness = self._freshness
            stale = await MovieRepository(session).stale(now - freshness.rated, now - freshness.unrated, calls)
        renewed = 0
        for start in range(0, len(stale), at_once):
            answers = await self._ask(stale[start : start + at_once])
            await self._store(answers)
            renewed += len(answers.facts)
            # A title whose payload is broken is passed over: it would end every run at the same place.
            if failures := [f for f in answers.failures.values() if f.reason is not Reason.GARBLED]:
                raise failures[0]
        return renewed

    async def _ask(self, imdb_ids: Sequence[str]) -> Answers:
        replies = await asyncio.gather(*(self._source.title(i) for i in imdb_ids), return_exceptions=True)
        answers = Answers({}, [], {})
        for imdb_id, reply in zip(imdb_ids, replies, strict=True):
            match reply:
                case TitleFacts():
                    answers.facts[imdb_id] = reply
                case None:
                    answers.unknown.append(imdb_id)
                case UpstreamError():
                    answers.failures[imdb_id] = reply
                case _:
                    raise reply
        return answers

    async def _store(self, answers: Answers) -> dict[str, int]:
        # A title that upstream now has under another id counts as unknown under the one asked for.
        moved = [i for i, title in answers.facts.items() if title.imdb_id != i]
        return await store_fetched(self._database, answers.facts.values(), unknown=answers.unknown + moved)


async def store_fetched(
    database: Database, titles: Collection[TitleFacts], *, unknown: Sequence[str] = ()
) -> dict[str, int]:
    """Store what upstream has just told, in one transaction; the ids of its movies by their IMDb id.

    Args:
        database: where to.
        titles: what was told.
        unknown: ids that upstream was asked for and does not know.
    """
    now = datetime.now(UTC)

    async def store(session: AsyncSession) -> dict[str, int]:
        movies = MovieRepository(session)
        if unknown:
            await movies.touch(unknown, now)
        return await movies.upsert(titles, refreshed_at=now)

    return await database.write(store)
