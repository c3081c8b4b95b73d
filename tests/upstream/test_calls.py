"""What the operator sees of outside services."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from app.core.request_record import recording
from app.upstream import transport
from app.upstream.errors import UpstreamError
from app.upstream.transport import Transport
from tests.doubles.server import Reply, ScriptedServer
from tests.metrics_text import metric

OK, BROKEN, HANGING = Reply(b"{}"), Reply(status=503), Reply(hang=True)


async def test_calls_are_counted_by_their_end_with_their_retries_and_their_time() -> None:
    name = "counted"
    async with ScriptedServer(OK) as server:
        client = Transport(name, server.url, deadline=1.0)
        with recording() as record:
            await client.get_json("/")
            server.script([BROKEN, OK])
            await client.get_json("/")
            server.script([Reply(b"<html>")])
            with pytest.raises(UpstreamError):
                await client.get_json("/")
            server.script([HANGING])
            waiting = asyncio.create_task(client.get_json("/"))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.wait({waiting})
        await client.close()
    ends = {
        end: metric("upstream_calls_total", service=name, outcome=end) for end in ("answered", "garbled", "abandoned")
    }
    assert ends == {"answered": 2, "garbled": 1, "abandoned": 1}
    assert metric("upstream_retries_total", service=name) == 1
    assert metric("upstream_seconds_count", service=name) == 4
    assert metric("upstream_seconds_sum", service=name) >= 0.1
    assert record.upstream_calls == 4


async def test_the_breaker_is_seen_to_open_and_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BREAKER_SECONDS", 0.1)
    name = "breaking"
    async with ScriptedServer(BROKEN) as server:
        client = Transport(name, server.url, deadline=1.0)
        assert REGISTRY.get_sample_value("movie_finder_upstream_breakers_open", {"service": name}) == 0
        with recording() as record:
            for _ in range(transport.BREAKER_FAILURES + 1):
                with pytest.raises(UpstreamError):
                    await client.get_json("/")
        assert metric("upstream_breakers_open", service=name) == 1
        # What the breaker keeps from being asked costs the request no call.
        assert metric("upstream_calls_total", service=name, outcome="breaker_open") == 1
        assert record.upstream_calls == transport.BREAKER_FAILURES
        server.script([OK])
        await asyncio.sleep(0.15)
        await client.get_json("/")
        assert metric("upstream_breakers_open", service=name) == 0
        await client.close()
