"""The stand-ins in a process of their own, so that killing the server does not touch what they remember."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from angarium.sandbox import journal
from angarium.sandbox.credentials import Credentials, credentials
from angarium.sandbox.journal import Call
from tests.e2e.plain_http import Unanswered, call
from tests.e2e.processes import Child, surroundings, until


class StandIns:
    """`python -m angarium.sandbox`, which calls back to `public_url`."""

    def __init__(self, stack: ExitStack, home: Path, port: int, public_url: str) -> None:
        self.address, self.url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        self.data = home / "stand-ins"
        self.credentials: Credentials = credentials(self.data)
        argv = ["angarium.sandbox", "--listen", self.address, "--data", str(self.data), "--public-url", public_url]
        self.child = Child(stack, home / "stand-ins.log", argv, home, surroundings(home))
        until(self._listens, 15, "the stand-ins listen")

    def _listens(self) -> bool:
        try:
            return call(self.url, "GET", "/_counts").status == 200
        except Unanswered:
            assert self.child.running, self.child.said()
            return False

    def script(self, provider: str, **rule: Any) -> None:
        """How a stand-in behaves from its next call on, in the words of `angarium.sandbox.script`."""
        body = json.dumps({"provider": provider, **rule}).encode()
        answer = call(self.url, "POST", "/_script", body, {"content-type": "application/json"})
        assert answer.status == 200, answer.body

    def counts(self) -> dict[str, dict[str, Any]]:
        """By service, how many calls came and what became of them."""
        counts: dict[str, dict[str, Any]] = call(self.url, "GET", "/_counts").json
        return counts

    def reported(self) -> bool:
        """Whether every callback about a usual address has been taken or given up: two for each e-mail and SMS."""
        counts = [self.counts()[service] for service in ("sendgrid", "twilio")]
        return all(count["reported"] + count["unreported"] == 2 * count["accepted"] for count in counts)

    def calls(self) -> list[Call]:
        """Every call that was accepted, in the order of arrival."""
        return list(journal.calls(self.data / journal.FILE))

    def taken(self) -> Counter[str]:
        """How often each delivery was accepted."""
        return Counter(call.delivery_id for call in self.calls())
