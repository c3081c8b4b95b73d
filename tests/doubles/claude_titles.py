"""A Claude on loopback that names titles, as https://platform.claude.com/docs/en/api/messages has an answer."""

import json
from typing import Any

from tests.doubles.server import Call, LoopbackServer, Reply

KEY = "anthropic-key-7d1e"


class TitlesByClaude(LoopbackServer):
    """Names the titles that it is told to, best first, or answers with `always`."""

    def __init__(self, *titles: str) -> None:
        super().__init__()
        self.titles = list(titles)
        self.always: Reply | None = None

    def reply(self, call: Call) -> Reply:
        """The titles, whatever is asked."""
        if self.always is not None:
            return self.always
        if call.path.endswith("/count_tokens"):
            return Reply(b'{"input_tokens": 9}')
        unknown = {"original_title": None, "year": None}
        movies = [
            {"title": title, **unknown, "kind": "movie", "match_score": 99 - place, "reason": "So."}
            for place, title in enumerate(self.titles)
        ]
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [{"type": "text", "text": json.dumps({"movies": movies})}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return Reply(json.dumps(message).encode())

    @property
    def generations(self) -> int:
        """How often titles were asked for."""
        return sum(call.path.endswith("/messages") for call in self.calls)

    @property
    def questions(self) -> list[Any]:
        """The data in what was asked, in order."""
        return [json.loads(json.loads(call.body)["messages"][0]["content"]) for call in self.calls]
