"""CollectAPI's IMDB service on loopback."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.doubles.server import Call, LoopbackServer, Reply

KEY = "collect-key-81ab77"


class CollectApiDouble(LoopbackServer):
    """Finds the ids in `found` by expression, knows `titles` by id, and answers as told where `always` is set."""

    def __init__(self, titles: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__()
        self.titles: dict[str, Mapping[str, Any]] = {title["imdbID"]: title for title in titles}
        self.found: dict[str, list[str]] = {}
        self.always: Reply | None = None

    def reply(self, call: Call) -> Reply:
        """The answer to `call`."""
        if self.always is not None:
            return self.always
        if call.headers.get("authorization") != f"apikey {KEY}":
            return Reply(b"401 Unauthorized", 401, "text/plain")
        if call.path.endswith("/imdbSearchByName"):
            hits = self.found.get(call.parameters["query"], [])
            result: object = [{"Title": "", "Year": "", "imdbID": i, "Type": "movie", "Poster": ""} for i in hits]
        elif call.path.endswith("/imdbSearchById"):
            result = self.titles.get(call.parameters["movieId"], {"Response": "False", "Error": "Error getting data."})
        else:
            return Reply(b"404 page not found", 404, "text/plain")
        return Reply(json.dumps({"success": True, "result": result}).encode())
