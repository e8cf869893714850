"""The admin listener."""

from __future__ import annotations

from typing import Any

import pytest

from angarium.api.admin import admin
from angarium.telemetry.metrics import Metrics
from tests.unit.api.world import call


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_a_process_that_lives_and_is_ready_says_so(path: str) -> None:
    reply = await call(admin(Metrics(version="1"), list), "GET", path)
    assert (reply.status, reply.body) == (200, b"ok")


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
async def test_a_process_that_is_not_ready_tells_every_reason_and_lives_on(path: str) -> None:
    app = admin(Metrics(version="1"), lambda: ["broker is unavailable", "router stopped"])
    reply = await call(app, "GET", path)

    assert (reply.status, reply.body) == (503, b"broker is unavailable\nrouter stopped")
    assert (await call(app, "GET", "/livez")).status == 200


async def test_metrics_are_told_in_the_text_format() -> None:
    metrics = Metrics(version="1")
    metrics.accepted("critical")
    reply = await call(admin(metrics, list), "GET", "/metrics")

    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'angarium_events_accepted_total{priority="critical"} 1.0' in reply.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/runs", 404),
        ("GET", "/debug", 404),
        ("POST", "/livez", 405),
        ("HEAD", "/livez", 200),
    ],
)
async def test_nothing_else_is_there(method: str, path: str, status: int) -> None:
    assert (await call(admin(Metrics(version="1"), list), method, path)).status == status


async def test_the_lifespan_of_a_server_is_no_request() -> None:
    async def nobody(*_: Any) -> Any:
        raise AssertionError

    await admin(Metrics(version="1"), list)({"type": "lifespan"}, nobody, nobody)
