"""Which of IMDb's titles are taken."""

from collections.abc import Iterable
from dataclasses import dataclass

# What `title.basics` calls them: the kind that is chosen by, and the type that a movie has here, as OMDb names it.
TITLE_TYPES = {
    "movie": ("movie", "movie"),
    "tvMovie": ("movie", "movie"),
    "tvSpecial": ("movie", "movie"),
    "video": ("movie", "movie"),
    "short": ("short", "movie"),
    "tvShort": ("short", "movie"),
    "tvSeries": ("series", "series"),
    "tvMiniSeries": ("series", "series"),
    "tvEpisode": ("episode", "episode"),
    "tvPilot": ("episode", "episode"),
    "videoGame": ("game", "game"),
}
KINDS = tuple(dict.fromkeys(kind for kind, _ in TITLE_TYPES.values()))
# IMDb publishes a rating once five people have given one.
FEWEST_VOTES = 5


@dataclass(frozen=True)
class Choice:
    """What to take.

    Attributes:
        kinds: of KINDS.
        adult: whether adult titles are taken.
        min_votes: titles with fewer are left out; 0 takes those without a rating too.
    """

    kinds: tuple[str, ...] = ("movie", "series")
    adult: bool = False
    min_votes: int = FEWEST_VOTES

    def types(self) -> dict[bytes, str]:
        """The type here of each type there that is taken."""
        return {name.encode(): ours for name, (kind, ours) in TITLE_TYPES.items() if kind in self.kinds}


def parse_kinds(text: str) -> tuple[str, ...]:
    """The kinds in a comma-separated list, sorted.

    Raises:
        ValueError: one is none of KINDS, or there is none.
    """
    kinds: Iterable[str] = {kind.strip() for kind in text.split(",")} - {""}
    if not kinds or not set(KINDS).issuperset(kinds):
        raise ValueError(f"must be some of {', '.join(KINDS)}")
    return tuple(sorted(kinds))
