"""Films that Claude names for nobody's search: asked for behind the requests, and made films of the catalogue."""

from typing import Protocol, Self

from app.ai.picks_prompts import ASKED_FOR, Question
from app.core.database import Database
from app.movies.matching import WantedTitle
from app.movies.resolution import TitleResolver
from app.upstream.services import UpstreamServices
from app.upstream.suggestions import Suggestion

# Nobody waits for it but staff, at their button.
ANSWER_SECONDS = 45.0


class TitleSuggester(Protocol):
    """An upstream service that suggests titles."""

    async def suggest(self, system: str, prompt: str, *, within: float, most: int) -> list[Suggestion]:
        """Titles for a prompt, best first. Raises UpstreamError."""


class Advisor:
    """Answers questions with films; costs no user's quota.

    Args:
        suggester: who names titles.
        resolver: who makes films of them.
    """

    def __init__(self, suggester: TitleSuggester, resolver: TitleResolver) -> None:
        self._suggester = suggester
        self._resolver = resolver

    @classmethod
    def configured(cls, database: Database, upstream: UpstreamServices) -> Self | None:
        """With the services at hand; None without Claude."""
        return cls(upstream.claude, TitleResolver(database, upstream.finder)) if upstream.claude else None

    async def movies(self, question: Question) -> list[int]:
        """The ids of the films that are the answer, best first; all are stored.

        Raises:
            UpstreamError: there is no answer.
        """
        suggestions = await self._suggester.suggest(
            question.instructions, question.data, within=ANSWER_SECONDS, most=ASKED_FOR
        )
        wanted = [WantedTitle(s.title, s.original_title, s.year, s.kind) for s in suggestions]
        resolutions = await self._resolver.resolve(wanted)
        return [resolution.movie.id for resolution in resolutions if resolution.movie is not None]
