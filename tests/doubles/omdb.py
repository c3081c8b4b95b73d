"""OMDb on loopback: answers as OMDb is known to."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from tests.doubles.server import Call, LoopbackServer, Reply

KEY = "omdb-key-5f2c9a"


def error(text: str, status: int = 200) -> Reply:
    """A logical failure, which OMDb mostly sends with status 200."""
    return Reply(json.dumps({"Response": "False", "Error": text}).encode(), status)


class OmdbDouble(LoopbackServer):
    """Knows `titles` by id and name, finds them by whole words, and answers as told where `replies` has what is asked.

    Attributes:
        literal: whether a name must be the whole title, and accents, apostrophes and hyphens matter. OMDb is known to
            take a part of a title for a name; apostrophes mattered until 2021 (its issue 148); of accents nobody tells.
        ignores_years_of_searches: as OMDb does at times (its issue 307).
    """

    def __init__(self, titles: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__()
        self.titles: dict[str, Mapping[str, Any]] = {title["imdbID"]: title for title in titles}
        self.found: dict[str, list[str]] = {}
        self.replies: dict[str, Reply] = {}
        self.always: Reply | None = None
        self.literal = False
        self.ignores_years_of_searches = False

    @property
    def looked_up(self) -> list[str]:
        """The ids asked for, in order."""
        return [call.parameters["i"] for call in self.calls if "i" in call.parameters]

    @property
    def named(self) -> list[tuple[str, str | None]]:
        """The names asked for and their years, in order."""
        return [(call.parameters["t"], call.parameters.get("y")) for call in self.calls if "t" in call.parameters]

    @property
    def searched(self) -> list[str]:
        """The expressions searched for, in order."""
        return [call.parameters["s"] for call in self.calls if "s" in call.parameters]

    def reply(self, call: Call) -> Reply:
        """The answer to `call`."""
        asked = call.parameters
        if self.always is not None:
            return self.always
        if asked.get("apikey") != KEY:
            return error("Invalid API key!" if "apikey" in asked else "No API key provided.", 401)
        wanted = asked.get("i") or asked.get("s") or asked.get("t") or ""
        if wanted in self.replies:
            return self.replies[wanted]
        return self._known(wanted, asked) if wanted else error("Something went wrong.")

    def _known(self, wanted: str, asked: Mapping[str, str]) -> Reply:
        year, kind = asked.get("y"), asked.get("type")
        if "i" in asked:
            return self._title(wanted)
        if "s" in asked:
            return self._search(wanted, None if self.ignores_years_of_searches else year, kind)
        return self._named(wanted, year, kind)

    def _title(self, imdb_id: str) -> Reply:
        if not re.fullmatch(r"tt\d+", imdb_id):
            return error("Incorrect IMDb ID.")
        if imdb_id not in self.titles:
            return error("Error getting data.")
        return Reply(json.dumps(self.titles[imdb_id]).encode())

    def _named(self, name: str, year: str | None, kind: str | None) -> Reply:
        """The title of exactly this name, else the best known one that has it in its own."""
        titles = self._narrowed(year, kind)
        plain = self._plain(name)
        named = [title for title in titles if self._plain(title["Title"]) == plain]
        if not named and not self.literal:
            named = [title for title in titles if self._has_words(title["Title"], name)]
        if not named:
            return error("Series not found!" if kind == "series" else "Movie not found!")
        return Reply(json.dumps(max(named, key=_votes)).encode())

    def _narrowed(self, year: str | None, kind: str | None) -> list[Mapping[str, Any]]:
        return [
            title
            for title in self.titles.values()
            if (year is None or title["Year"].startswith(year)) and kind in {None, title.get("Type")}
        ]

    def _plain(self, text: str) -> str:
        if self.literal:
            return text.lower()
        text = text.replace("'", "").replace("\u2019", "")
        decomposed = unicodedata.normalize("NFD", text.lower())
        return "".join(character for character in decomposed if not unicodedata.combining(character))

    def _has_words(self, title: str, expression: str) -> bool:
        word = r"[\w'\u2019-]+" if self.literal else r"\w+"
        wanted, words = (set(re.findall(word, self._plain(text))) for text in (expression, title))
        return wanted <= words

    def _search(self, expression: str, year: str | None, kind: str | None) -> Reply:
        hits = self.found.get(expression)
        if hits is None:
            if len(expression) < 3:
                return error("Too many results.")
            hits = [
                title["imdbID"] for title in self._narrowed(year, kind) if self._has_words(title["Title"], expression)
            ]
        if not hits:
            return error("Series not found!" if kind == "series" else "Movie not found!")
        keys = ("Title", "Year", "Type", "Poster")
        found = [{"imdbID": i} | {key: self.titles.get(i, {}).get(key, "N/A") for key in keys} for i in hits[:10]]
        answer = {"Search": found, "totalResults": str(len(hits)), "Response": "True"}
        return Reply(json.dumps(answer).encode())


def _votes(title: Mapping[str, Any]) -> int:
    votes = title.get("imdbVotes", "N/A")
    return int(votes.replace(",", "")) if votes != "N/A" else 0
