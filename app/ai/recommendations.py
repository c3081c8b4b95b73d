"""Recommendations: by Claude once a day for whoever asks, by the catalogue until then.

A request never waits for Claude. It is answered with what there is: the day's choice, else Claude's last one, else what
the catalogue ranks highest; and orders Claude's new choice as a job. A lease lets one request in many order it, and
holds the others back also where it comes to nothing, so that a user costs one call a day, and no more than one in
`ORDER_AGE` while Claude fails. A like does not change the day's choice, but takes the movie out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.advice import Advisor
from app.ai.picks_prompts import recommendations_for
from app.ai.picks_repository import RecommendationRepository, Source, movies_in_order
from app.ai.ranking import Ranking
from app.core.database import Database
from app.core.jobs import enqueue
from app.core.leases import take_lease
from app.core.single_flight import SingleFlight
from app.movies.repository import MovieRow
from app.upstream.errors import UpstreamError

RECOMMEND_TASK = "recommend"
RECOMMEND_DEADLINE = timedelta(minutes=2)
# All workers together: midnight brings every user at once, and Anthropic's limits are by the minute.
RECOMMEND_AT_ONCE = 4
MOST_SHOWN = 10
# More than are shown, since some will be liked or queued before the day ends.
MOST_KEPT = 30
MOST_NAMED = 25  # to Claude, of the liked, and as many of the queued
ORDER_AGE = timedelta(minutes=15)
# Claude's choice of so long ago is still a better answer than the catalogue's, for the moment that the new one takes.
OLDEST_SHOWN = timedelta(days=7)
# Nobody waits for the answer any more; whoever comes back orders it again.
OLDEST_ORDER = timedelta(hours=1)

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RecommendationOrder:
    """A user waits for Claude's choice."""

    user_id: int
    ordered_at: datetime


class Recommendations:
    """Answers who asks for recommendations.

    Args:
        database: where the catalogue is.
        by_claude: whether there is somebody to order them of.
    """

    def __init__(self, database: Database, *, by_claude: bool) -> None:
        self._database = database
        self._by_claude = by_claude
        self._flights: SingleFlight[bool] = SingleFlight()

    async def movies(self, user_id: int) -> Sequence[MovieRow]:
        """Up to ten movies for a user, best first, none of them liked or queued.

        Who has neither liked nor queued anything gets what is liked most, as it is at the moment.
        """
        has_taste = await self._flights.run(user_id, partial(self._prepare, user_id))
        # For every request by itself: what was liked before it is not in its answer.
        async with self._database.reading() as session:
            if not has_taste:
                return await movies_in_order(session, await Ranking(session).popular(MOST_SHOWN, user_id))
            movies = await RecommendationRepository(session).movies(user_id, MOST_SHOWN)
            if len(movies) == MOST_SHOWN:
                return movies
            return await _filled(session, user_id, movies)

    async def close(self) -> None:
        """Stop what is under way."""
        await self._flights.close()

    async def _prepare(self, user_id: int) -> bool:
        """See to it that there is something to show, and order what is to come; whether the user has a taste."""
        async with self._database.reading() as session:
            state = await RecommendationRepository(session).state(user_id, _lease(user_id), OLDEST_SHOWN)
        orders = self._by_claude and not state.is_ordered and not state.is_claudes_of_today
        ranks = not (state.is_todays or (self._by_claude and state.is_recent and state.source is Source.CLAUDE))

        async def renew(session: AsyncSession) -> None:
            if orders and await take_lease(session, _lease(user_id), ORDER_AGE):
                order = RecommendationOrder(user_id, datetime.now(UTC))
                await enqueue(session, RECOMMEND_TASK, order, once=_lease(user_id))
            if ranks:
                ranked = await Ranking(session).for_user(user_id, MOST_KEPT)
                await RecommendationRepository(session).save(user_id, ranked, Source.CATALOGUE)

        if state.has_taste and (orders or ranks):
            await self._database.write(renew)
        return state.has_taste


class RecommendationRenewal:
    """Has Claude choose, behind the requests; where that fails, the catalogue."""

    def __init__(self, database: Database, advisor: Advisor) -> None:
        self._database = database
        self._advisor = advisor

    async def renew(self, order: RecommendationOrder) -> None:
        """Choose for a user, unless somebody has, or it is too late."""
        if order.ordered_at < datetime.now(UTC) - OLDEST_ORDER:
            return
        async with self._database.reading() as session:
            stored = RecommendationRepository(session)
            state = await stored.state(order.user_id, _lease(order.user_id), OLDEST_SHOWN)
            liked = await stored.liked(order.user_id, MOST_NAMED)
            queued = await stored.queued(order.user_id, MOST_NAMED)
        if state.is_claudes_of_today or not (liked or queued):
            return
        try:
            chosen = await self._advisor.movies(recommendations_for(liked, queued))
        except UpstreamError as error:
            log.warning("no recommendations of Claude's", user_id=order.user_id, reason=str(error))
            chosen = []

        async def save(session: AsyncSession) -> None:
            ranked = await Ranking(session).for_user(order.user_id, MOST_KEPT)
            movie_ids = list(dict.fromkeys([*chosen, *ranked]))[:MOST_KEPT]
            source = Source.CLAUDE if chosen else Source.CATALOGUE
            await RecommendationRepository(session).save(order.user_id, movie_ids, source)

        await self._database.write(save)


async def _filled(session: AsyncSession, user_id: int, movies: Sequence[MovieRow]) -> Sequence[MovieRow]:
    """`movies`, and what the catalogue ranks highest, up to as many as are shown."""
    ranked = await Ranking(session).for_user(user_id, MOST_SHOWN)
    known = {movie.id for movie in movies}
    further = [movie_id for movie_id in ranked if movie_id not in known][: MOST_SHOWN - len(movies)]
    return [*movies, *await movies_in_order(session, further)]


def _lease(user_id: int) -> str:
    return f"recommendations:{user_id}"
