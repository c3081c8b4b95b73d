"""CollectAPI's IMDB service on loopback."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.doubles.server import Call, LoopbackServer, Reply

KEY = "collect-key-81ab77"


class CollectApiDouble(LoopbackServer):
    """Finds the ids in `found` by expression, knows `titles` by id, and answers as told where `replies` has either."""

    def __init__(self, titles: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__()
        self.titles: dict[str, Mapping[str, Any]] = {title["imdbID"]: title for title in titles}
        self.found: dict[str, list[str]] = {}
        self.replies: dict[str, Reply] = {}
        self.always: Reply | None = None

    @property
    def looked_up(self) -> list[str]:
        """The ids asked for, in order."""
        return [call.parameters["movieId"] for call in self.calls if "movieId" in call.parameters]

    @property
    def searched(self) -> list[str]:
        """The expressions searched for, in order."""
        return [call.parameters["query"] for call in self.calls if "query" in call.parameters]

    def reply(self, call: Call) -> Reply:
        """The answer to `call`."""
        if self.always is not None:
            return self.always
        if call.headers.get("authorization") != f"apikey {KEY}":
            return Reply(b"401 Unauthorized", 401, "text/plain")
        wanted = call.parameters.get("movieId") or call.parameters.get("query") or ""
        if wanted in self.replies:
            return self.replies[wanted]
        if call.path.endswith("/imdbSearchByName"):
            hits = self.found.get(wanted, [])
            result: object = [{"Title": "", "Year": "", "imdbID": i, "Type": "movie", "Poster": ""} for i in hits]
        elif call.path.endswith("/imdbSearchById"):
            result = self.titles.get(wanted, {"Response": "False", "Error": "Error getting data."})
        else:
            return Reply(b"404 page not found", 404, "text/plain")
        return Reply(json.dumps({"success": True, "result": result}).encode())
