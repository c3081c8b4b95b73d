"""Claude's suggestions, each answer at the expense of its caller's quota."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from anyio import CancelScope
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.problems import AiSearchLimitReached
from app.ai.prompts import SEARCH, search_prompt
from app.auth.quota import QuotaRepository
from app.core.database import Database
from app.upstream.suggestions import Suggestion


class Suggester(Protocol):
    """Who suggests titles. All of it raises UpstreamError."""

    async def count_tokens(self, text: str, *, within: float) -> int:
        """How many tokens a text is."""

    async def suggest(self, system: str, prompt: str, *, within: float) -> list[Suggestion]:
        """Titles for a prompt, best first."""

    async def suggest_streaming(
        self, system: str, prompt: str, begun: Callable[[], None], *, within: float
    ) -> list[Suggestion]:
        """The same; `begun` is called as soon as the answer begins."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is suggested.

    Attributes:
        taken_from: the day whose quota it was taken from; None where it cost nothing.
    """

    suggestions: list[Suggestion]
    taken_from: date | None


class MeteredSuggestions:
    """Suggestions for questions, counted.

    Args:
        database: where the quotas are.
        suggester: who is asked.
        most_tokens: a question of more is not asked.
    """

    def __init__(self, database: Database, suggester: Suggester, most_tokens: int) -> None:
        self._database = database
        self._suggester = suggester
        self._most_tokens = most_tokens

    async def admit(self, user_id: int) -> None:
        """Let a user ask who has something left; what is asked at the same moment decides when it is taken.

        Raises:
            AiSearchLimitReached: nothing is left.
        """
        async with self._database.reading() as session:
            quota = await QuotaRepository(session).get(user_id)
        if not quota.left:
            raise AiSearchLimitReached

    async def answer(self, user_id: int, question: str, *, until: float, streaming: bool) -> Answer:
        """Titles for a question; none, and free of charge, where it is too long.

        The unit is taken before Claude is asked, so that no more are asked than are left, and is handed back where no
        answer comes of it. Whoever goes away (is cancelled) before Claude has begun to answer gets it back too, but
        only with `streaming` is that known.

        Args:
            user_id: whose quota it is.
            question: in the user's own words.
            until: when it must be answered, by the event loop's clock.
            streaming: whether to watch the answer come.

        Raises:
            AiSearchLimitReached: nothing is left.
            UpstreamError: no answer came.
        """
        clock = asyncio.get_running_loop().time
        if await self._suggester.count_tokens(question, within=until - clock()) > self._most_tokens:
            return Answer([], None)
        with CancelScope(shield=True):  # so that it is known whether it was taken
            day = await self._take(user_id)
        has_begun = False

        def begun() -> None:
            nonlocal has_begun
            has_begun = True

        prompt = search_prompt(question)
        try:
            if streaming:
                asked = self._suggester.suggest_streaming(SEARCH, prompt, begun, within=until - clock())
            else:
                asked = self._suggester.suggest(SEARCH, prompt, within=until - clock())
            return Answer(await asked, day)
        except BaseException as error:
            if not (has_begun and isinstance(error, asyncio.CancelledError)):
                with CancelScope(shield=True):
                    await self._give_back(user_id, day)
            raise

    async def hand_back(self, user_id: int, answer: Answer) -> None:
        """Undo what an answer cost: it was worth nothing."""
        if answer.taken_from is not None:
            await self._give_back(user_id, answer.taken_from)

    async def _take(self, user_id: int) -> date:
        async def take(session: AsyncSession) -> date | None:
            return await QuotaRepository(session).take(user_id)

        day = await self._database.write(take)
        if day is None:
            raise AiSearchLimitReached
        return day

    async def _give_back(self, user_id: int, day: date) -> None:
        async def give_back(session: AsyncSession) -> None:
            await QuotaRepository(session).give_back(user_id, day)

        await self._database.write(give_back)
