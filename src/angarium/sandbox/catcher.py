"""The catcher: the newest messages, as a page that a person looks at and as JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from angarium.ports.transport import Response
from angarium.sandbox.callbacks import Labels
from angarium.sandbox.journal import Call
from angarium.sandbox.stand_in import Accepted, Shown

CAPACITY = 200


class Caught(Struct, frozen=True, kw_only=True):
    """One message. `serial` grows with every change of any message; `callbacks` says what came of each."""

    serial: int
    id: str
    at: float
    provider: str
    account: str
    delivery_id: str
    repeated: bool
    message: Shown
    callbacks: Mapping[str, str] = {}


class Catcher:
    """Keeps the newest messages in memory; the journal keeps all of them, without their bodies."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._caught: OrderedDict[str, Caught] = OrderedDict()
        self._serial = 0

    def show(self, call: Call, accepted: Accepted) -> None:
        """Keep an accepted message and forget the oldest one when there are too many."""
        self._serial += 1
        self._caught[call.reference] = Caught(
            serial=self._serial,
            id=call.reference,
            at=call.at,
            provider=call.provider,
            account=call.account,
            delivery_id=call.delivery_id,
            repeated=call.repeated,
            message=accepted.shown,
            callbacks={report.label: "to come" for report in accepted.reports},
        )
        if len(self._caught) > self._capacity:
            self._caught.popitem(last=False)

    def told(self, labels: Labels, outcome: str) -> None:
        """What came of some callbacks; messages that were forgotten are passed over."""
        for message, label in labels:
            if (caught := self._caught.get(message)) is not None:
                self._serial += 1
                callbacks = {**caught.callbacks, label: outcome}
                self._caught[message] = msgspec.structs.replace(caught, serial=self._serial, callbacks=callbacks)

    def since(self, after: int) -> Response:
        """`{"last", "messages"}`: what is new or changed after a serial, oldest first.

        A `last` below `after` says that the process is a new one: ask again from 0.
        """
        changed = [caught for caught in self._caught.values() if caught.serial > after]
        return json({"last": self._serial, "messages": changed})


def json(body: object, status: int = 200) -> Response:
    """A JSON answer that no browser keeps or guesses at."""
    headers = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(status=status, headers=headers, body=msgspec.json.encode(body))


def page() -> Response:
    """The page. Its policy lets the one script of the page run and nothing be loaded, in the shown e-mails neither."""
    body = Path(__file__).with_name("catcher.html").read_bytes()
    script = re.search(rb"<script>(.*?)</script>", body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[1] if script else b"").digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Response(status=200, headers=headers, body=body)


def is_near(host: str, own: str) -> bool:
    """Is this `Host` header an address, a name without a dot, or our own public host?

    A page of a stranger whose name was pointed at this machine (DNS rebinding) is none of these.
    """
    name = (host[1:].partition("]") if host.startswith("[") else host.partition(":"))[0].lower()
    try:
        ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name == urlsplit(own).hostname)
    return True
