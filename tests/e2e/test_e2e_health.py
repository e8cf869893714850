"""What a running process says of itself: metrics that Prometheus reads, readiness that turns red and green again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from angarium.sqlite import driver
from tests.e2e.plain_http import call
from tests.e2e.processes import until
from tests.e2e.server import Server

#: More series than this would be a label that is not bound.
MOST_SERIES = 2_000


def test_the_metrics_of_a_loaded_process_pass_promtool(demo: Server, program: Callable[[str], str]) -> None:
    people = [{"id": f"p{number}", "email": f"p{number}@example.com"} for number in range(50)]
    demo.publish(*({"type": "user.signed_up", "to": person, "data": {"plan": "plain"}} for person in people))
    demo.at_rest(30)
    answer = call(demo.admin, "GET", "/metrics")
    checked = subprocess.run([program("promtool"), "check", "metrics"], input=answer.body, capture_output=True)

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    series = [line for line in answer.body.decode().splitlines() if line and not line.startswith("#")]
    assert len(series) <= MOST_SERIES
    assert not [line for line in series if "@example.com" in line or "p1" in line.partition("{")[2]]


def test_readiness_is_red_while_the_database_cannot_be_written_and_green_afterwards(demo: Server) -> None:
    assert demo.post(b"[]").status == 202  # from now on its key is known
    with locked(demo.data / "angarium.db"):
        [told] = demo.publish({"type": "user.signed_up", "to": {"id": "anna", "email": "anna@example.com"}})
        until(demo.ailing, 20, "readiness is red")
        assert "router" in demo.ailing()
        assert call(demo.admin, "GET", "/livez").status == 200
    until(lambda: not demo.ailing(), 20, "readiness is green again")
    demo.at_rest(20)

    assert demo.event(("/v1/events", told["id"]))["outcome"] == "matched"


def test_what_cannot_be_stored_is_not_accepted(demo: Server) -> None:
    body = b'{"type": "user.signed_up", "to": {"id": "anna", "email": "anna@example.com"}}'
    with locked(demo.data / "broker.db"):
        answer = demo.post(body, idempotency_key="once")
        assert answer.status == 503, answer.body
        assert int(answer.headers["retry-after"]) > 0
    until(lambda: demo.post(body, idempotency_key="once").status == 202, 20, "it is accepted")

    assert demo.at_rest(20)["events"]["distinct"] == 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A stranger holds the right to write the file."""
    connection = driver.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
