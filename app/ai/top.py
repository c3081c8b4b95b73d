"""Top movies: chosen by Claude once a week; where it has not, what is liked most, else the best rated.

A request never waits for Claude: it is answered with what there is, and orders a new choice as a job where that has
become old. Staff, cron and the week's schedule make one at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.advice import Advisor
from app.ai.picks_prompts import top_movies_of
from app.ai.picks_repository import TopRepository, movies_in_order
from app.ai.ranking import Ranking
from app.core.database import Database
from app.core.jobs import enqueue
from app.core.leases import end_lease, take_lease
from app.core.single_flight import SingleFlight
from app.movies.repository import MovieRow
from app.upstream.errors import UpstreamError

TOP_TASK = "refresh_top"
# Mondays, before the week begins for most.
TOP_TIMES = "40 3 * * 1"
MOST_SHOWN = 10
DUE = timedelta(days=7)
RECENT = timedelta(days=1)
# Claude's choice of so long ago says nothing any more.
OUTDATED = timedelta(days=14)
# How often at most requests order a choice, also while Claude fails.
ORDER_LEASE, ORDER_AGE = "top:order", timedelta(hours=1)
# Longer than Claude and the films' look-up may take.
REFRESH_LEASE, REFRESH_AGE = "top:refresh", timedelta(minutes=3)

log = structlog.stdlib.get_logger(__name__)


class NotRefreshed(Exception):  # noqa: N818 - the old choice stays
    """There is no new choice; says why, for a person."""


@dataclass(frozen=True, slots=True)
class Top:
    """The top movies at this moment.

    Attributes:
        movies: best first; those that Claude chose have the time at which it did as `generated_at`.
        is_due: it is time for Claude to choose anew.
    """

    movies: Sequence[MovieRow]
    is_due: bool


async def top_movies(session: AsyncSession) -> Top:
    """Up to ten: Claude's choice, and what the catalogue ranks highest where that is old, or has lost films."""
    chosen = await TopRepository(session).movies(DUE, OUTDATED)
    is_due = not chosen or chosen[0].is_due
    movies = [] if not chosen or chosen[0].is_outdated else list(chosen)
    if len(movies) < MOST_SHOWN:
        known = {movie.id for movie in movies}
        popular = [i for i in await Ranking(session).popular(MOST_SHOWN) if i not in known]
        movies += await movies_in_order(session, popular[: MOST_SHOWN - len(movies)])
    return Top(movies, is_due)


class TopMovies:
    """Answers who asks for the top movies.

    Args:
        database: where the catalogue is.
        by_claude: whether there is somebody to order them of.
    """

    def __init__(self, database: Database, *, by_claude: bool) -> None:
        self._database = database
        self._by_claude = by_claude
        self._flights: SingleFlight[Top] = SingleFlight()

    async def movies(self) -> Sequence[MovieRow]:
        """Up to ten movies, best first; many who ask at the same moment are answered together."""
        return (await self._flights.run(TOP_TASK, self._top)).movies

    async def close(self) -> None:
        """Stop what is under way."""
        await self._flights.close()

    async def _top(self) -> Top:
        async with self._database.reading() as session:
            top = await top_movies(session)
            orders = self._by_claude and top.is_due and not await TopRepository(session).is_leased(ORDER_LEASE)

        async def order(session: AsyncSession) -> None:
            if await take_lease(session, ORDER_LEASE, ORDER_AGE):
                await enqueue(session, TOP_TASK, once=TOP_TASK)

        if orders:
            await self._database.write(order)
        return top


class TopRenewal:
    """Has Claude choose.

    Args:
        database: where the catalogue is.
        advisor: who asks Claude; None without a key.
    """

    def __init__(self, database: Database, advisor: Advisor | None) -> None:
        self._database = database
        self._advisor = advisor

    async def refresh(self) -> int:
        """Choose now; returns how many movies there are. One does this at a time, however many processes there are.

        Raises:
            NotRefreshed: somebody else is at it, or Claude is not there or names nothing; the old choice stays.
        """
        if self._advisor is None:
            raise NotRefreshed("ANTHROPIC_API_KEY is not set: the most liked movies are shown.")
        async with self._database.transaction() as session:
            if not await take_lease(session, REFRESH_LEASE, REFRESH_AGE):
                raise NotRefreshed("The top movies are being refreshed at this moment.")
        try:
            number = await self._choose(self._advisor)
        except UpstreamError as error:
            raise NotRefreshed(f"Claude gave no answer ({error}): the movies stay as they are.") from error
        finally:
            async with self._database.transaction() as session:
                await end_lease(session, REFRESH_LEASE)
        log.info("top movies refreshed", movies=number)
        return number

    async def _choose(self, advisor: Advisor) -> int:
        movie_ids = await advisor.movies(top_movies_of(datetime.now(UTC).date()))
        if not movie_ids:
            raise NotRefreshed("Claude named no film that could be found: the movies stay as they are.")

        async def replace(session: AsyncSession) -> int:
            return await TopRepository(session).replace(movie_ids[:MOST_SHOWN])

        return await self._database.write(replace)

    async def renew(self) -> None:
        """The same as a job, unless it was done a short while ago.

        Where nothing comes of it, whoever asks for the movies next orders it again.
        """
        async with self._database.reading() as session:
            chosen = await TopRepository(session).movies(RECENT, OUTDATED)
        if chosen and not chosen[0].is_due:
            return
        try:
            await self.refresh()
        except NotRefreshed as reason:
            log.warning("top movies not refreshed", reason=str(reason))
