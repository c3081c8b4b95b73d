"""Anthropic's Messages API on loopback: https://platform.claude.com/docs/en/api/messages, and its streaming."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tests.doubles.server import Call, LoopbackServer, Reply
from tests.json_schema import Json

KEY = "sk-ant-key-71f0c3"
MODEL = "claude-sonnet-5-5"
VERSION = "2026-10-21"
# https://platform.claude.com/docs/en/api/errors
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def suggestion(title: str, year: Json = None, score: Json = 90, **members: Any) -> dict[str, Any]:
    """A title as the schema has it."""
    return {
        "title": title,
        "original_title": None,
        "year": year,
        "kind": "movie",
        "match_score": score,
        "reason": f"{title} fits.",
        **members,
    }


def listed(*suggestions: Any) -> str:
    """What Claude writes."""
    return json.dumps({"movies": suggestions})


def error(status: int, *, headers: dict[str, str] | None = None, **details: str) -> Reply:
    """An error as the API sends it."""
    fault = {"type": ERRORS[status], "message": f"An error of {status}.", "details": details or None}
    body = {"type": "error", "error": fault, "request_id": "req_011CX"}
    return Reply(json.dumps(body).encode(), status, headers={"request-id": "req_011CX", **(headers or {})})


def message(*texts: str, stop_reason: str | None = "end_turn", thinking: bool = False) -> dict[str, Any]:
    """A message of Claude's."""
    thoughts = [{"type": "thinking", "thinking": "", "signature": "EqQB"}] if thinking else []
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [*thoughts, *({"type": "text", "text": text, "citations": None} for text in texts)],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 812, "output_tokens": 356},
    }


def events(whole: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The events by which a message is streamed, the texts in pieces."""
    empty = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": 812, "output_tokens": 1}}
    sent: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": empty}), ("ping", {})]
    for index, block in enumerate(whole["content"]):
        kind = block["type"]
        sent.append(("content_block_start", {"index": index, "content_block": {**block, kind: ""}}))
        pieces = [block[kind][i : i + 40] for i in range(0, len(block[kind]), 40)]
        deltas = [{"type": f"{kind}_delta", kind: piece} for piece in pieces]
        if kind == "thinking":
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        sent += [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
        sent.append(("content_block_stop", {"index": index}))
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    sent.append(("message_delta", {"delta": ending, "usage": {"output_tokens": 356}}))
    sent.append(("message_stop", {}))
    return sent


def stream(sent: Iterable[tuple[str, dict[str, Any]]], **how: Any) -> Reply:
    """Events as they are sent; `how` is that of a reply."""
    lines = [f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in sent]
    return Reply("".join(lines).encode(), content_type="text/event-stream; charset=utf-8", **how)


class ClaudeDouble(LoopbackServer):
    """Suggests `text` to everybody, as a stream to who asks for one, and answers as told where `replies` has something.

    A request that the API would refuse is refused.

    Attributes:
        text: what Claude writes, in as many text blocks.
        stop_reason: why Claude stopped.
        tokens: how many tokens everything counts.
        replies: to the next questions for an answer, in order.
        counting: what is answered to the question how many tokens; None for the number.
    """

    def __init__(self, *suggestions: Any) -> None:
        super().__init__()
        self.texts: Sequence[str] = [listed(*suggestions)]
        self.stop_reason: str | None = "end_turn"
        self.tokens = 12
        self.replies: list[Reply] = []
        self.counting: Reply | None = None

    @property
    def asked_for(self) -> list[dict[str, Any]]:
        """The questions for an answer, in order."""
        return [json.loads(call.body) for call in self.calls if call.path == "/v1/messages"]

    @property
    def counted(self) -> list[dict[str, Any]]:
        """What tokens were counted of, in order."""
        return [json.loads(call.body) for call in self.calls if call.path == "/v1/messages/count_tokens"]

    @property
    def message(self) -> dict[str, Any]:
        """What Claude answers."""
        return message(*self.texts, stop_reason=self.stop_reason, thinking=True)

    def suggest(self, *suggestions: Any) -> None:
        """Have Claude suggest other titles from now on."""
        self.texts = [listed(*suggestions)]

    def reply(self, call: Call) -> Reply:
        """The answer to `call`."""
        body = json.loads(call.body)
        if (status := _refusal(call, body)) is not None:
            return error(status)
        if call.path == "/v1/messages/count_tokens":
            return self.counting or Reply(json.dumps({"input_tokens": self.tokens}).encode())
        if self.replies:
            return self.replies.pop(0)
        return stream(events(self.message)) if body.get("stream") else Reply(json.dumps(self.message).encode())


def _refusal(call: Call, body: dict[str, Any]) -> int | None:
    """The status of the error that a request gets, None for a good one."""
    if call.headers.get("authorization") != f"Bearer {KEY}":
        return 401
    if call.path not in {"/v1/messages", "/v1/messages/count_tokens"} or body["model"] != MODEL:
        return 404
    is_asked = call.method == "POST" and call.headers.get("anthropic-version") == VERSION
    if not is_asked or {"temperature", "top_p", "top_k"} & set(body):
        return 400
    return 400 if call.path == "/v1/messages" and _is_bad(body["output_config"]["format"]) else None


def _is_bad(output: dict[str, Any]) -> bool:
    """Whether a format is none that the API takes: its objects leave nothing open, and numbers and lists no bounds."""
    if output["type"] != "json_schema" or output["schema"]["type"] != "object":
        return True
    pending = [output["schema"]]
    while pending:
        schema = pending.pop()
        if {"minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"} & set(schema):
            return True
        if schema.get("type") == "object" and (
            schema["additionalProperties"] is not False or set(schema["required"]) != set(schema["properties"])
        ):
            return True
        pending += [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
        pending += [schema["items"]] if "items" in schema else []
    return False
