"""Traces for an OpenTelemetry collector, where one is configured."""

import asyncio
import gzip
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL

from tests.conftest import SECRET_KEY
from tests.doubles.server import Reply, ScriptedServer
from tests.processes import running

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the opentelemetry extra is not installed")
CODE = "a-code-that-is-worth-tokens"


async def test_requests_are_traced_by_route_and_no_code_of_a_login_is(sample_url: URL, tmp_path: Path) -> None:
    url = sample_url.render_as_string(hide_password=False)
    async with ScriptedServer(Reply(content_type="application/x-protobuf")) as collector:
        otel = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        with running("serve", tmp_path, SECRET_KEY=SECRET_KEY, DATABASE_URL=url, RUN_JOBS="false", **otel) as service:
            async with httpx.AsyncClient(base_url=service.url) as client:
                await client.get("/movies/1/")
                await client.get(f"/accounts/google/login/callback/?code={CODE}&state=x")
            await asyncio.to_thread(service.stop)
    exported = b"".join(gzip.decompress(c.body) if c.body[:2] == b"\x1f\x8b" else c.body for c in collector.calls)
    assert {call.path for call in collector.calls} == {"/v1/traces"}
    assert b"/movies/{id}/" in exported
    assert CODE.encode() not in exported
