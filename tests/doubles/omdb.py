"""OMDb on loopback: answers as OMDb is known to."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.doubles.server import Call, LoopbackServer, Reply

KEY = "omdb-key-5f2c9a"


def error(text: str, status: int = 200) -> Reply:
    """A logical failure, which OMDb mostly sends with status 200."""
    return Reply(json.dumps({"Response": "False", "Error": text}).encode(), status)


class OmdbDouble(LoopbackServer):
    """Knows `titles` by id, finds them by whole words, and answers as told where `replies` has an id or expression."""

    def __init__(self, titles: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__()
        self.titles: dict[str, Mapping[str, Any]] = {title["imdbID"]: title for title in titles}
        self.found: dict[str, list[str]] = {}
        self.replies: dict[str, Reply] = {}
        self.always: Reply | None = None

    @property
    def looked_up(self) -> list[str]:
        """The ids asked for, in order."""
        return [call.parameters["i"] for call in self.calls if "i" in call.parameters]

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
        if "i" in asked:
            return self._title(wanted)
        if "s" in asked:
            return self._search(wanted)
        return error("Something went wrong.")

    def _title(self, imdb_id: str) -> Reply:
        if not re.fullmatch(r"tt\d+", imdb_id):
            return error("Incorrect IMDb ID.")
        if imdb_id not in self.titles:
            return error("Error getting data.")
        return Reply(json.dumps(self.titles[imdb_id]).encode())

    def _search(self, expression: str) -> Reply:
        hits = self.found.get(expression)
        if hits is None:
            if len(expression) < 3:
                return error("Too many results.")
            hits = [i for i, title in self.titles.items() if _has_words(title["Title"], expression)]
        if not hits:
            return error("Movie not found!")
        keys = ("Title", "Year", "Type", "Poster")
        found = [{"imdbID": i} | {key: self.titles.get(i, {}).get(key, "N/A") for key in keys} for i in hits[:10]]
        answer = {"Search": found, "totalResults": str(len(hits)), "Response": "True"}
        return Reply(json.dumps(answer).encode())


def _has_words(title: str, expression: str) -> bool:
    return set(re.findall(r"\w+", expression.lower())) <= set(re.findall(r"\w+", title.lower()))
