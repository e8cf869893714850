"""A running sandbox as its callers see it: through real sockets on a free port of this machine."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from standardwebhooks.webhooks import Webhook

from angarium.ports.transport import Request, Response
from angarium.sandbox.credentials import Credentials, credentials
from angarium.sandbox.journal import FILE
from angarium.sandbox.server import Incoming, Reply, listening
from angarium.sandbox.service import Sandbox, serve
from angarium.transport.http1 import Http1

NOW = 1_760_000_000.0
JSON = {"content-type": "application/json"}
#: Of the receiver `own`.
OWN_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Receiver:
    """What takes the callbacks: it keeps them, and answers with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[Incoming] = asyncio.Queue()
        self.statuses: list[int] = []

    def handle(self, incoming: Incoming, reply: Reply) -> None:
        self.taken.put_nowait(incoming)
        reply.send(Response(status=self.statuses.pop(0) if self.statuses else 200))


class World:
    """A running sandbox, what it calls back, and a client."""

    def __init__(self, url: str, public_url: str, sandbox: Sandbox, keys: Credentials, http: Http1, data: Path) -> None:
        self.url, self.public_url, self.sandbox, self.keys, self.http = url, public_url, sandbox, keys, http
        self.journal = data / FILE
        self.receiver = Receiver()

    async def call(self, path: str, body: bytes, headers: Mapping[str, str], timeout: float = 5.0) -> Response:
        return await self.http.call(Request(url=self.url + path, headers=headers, body=body, timeout=timeout))

    async def mail(self, mail: Mapping[str, Any], timeout: float = 5.0, account: str = "") -> Response:
        headers = JSON | {"authorization": f"Bearer {self.keys.keys.sendgrid_api_key}"}
        return await self.call(f"/sendgrid{account}/v3/mail/send", json.dumps(mail).encode(), headers, timeout)

    async def text(self, **changes: str) -> Response:
        form = {"To": "+12025550101", "From": "+15005550006", "Body": "Hello"} | changes
        sid, token = self.keys.keys.twilio_account_sid, self.keys.keys.twilio_auth_token
        basic = base64.b64encode(f"{sid}:{token}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        return await self.call(f"/twilio/2010-04-01/Accounts/{sid}/Messages.json", body, headers)

    async def hook(self, name: str, id_: str, body: bytes, secret: str = "") -> Response:
        at = datetime.fromtimestamp(NOW, UTC)
        signature = Webhook(secret or self.keys.keys.webhook_secret).sign(id_, at, body.decode())
        headers = {"webhook-id": id_, "webhook-timestamp": str(int(NOW)), "webhook-signature": signature}
        return await self.call(f"/hooks/{name}", body, headers)

    async def script(self, **change: Any) -> Response:
        return await self.post("/_script", {"provider": "sendgrid"} | change)

    async def post(self, path: str, body: Any, headers: Mapping[str, str] = JSON) -> Response:
        return await self.call(path, json.dumps(body).encode(), headers)

    async def look(self, path: str) -> Response:
        return await self.http.call(Request(method="GET", url=self.url + path))

    async def get(self, path: str) -> Any:
        return json.loads((await self.look(path)).body)

    async def outcome(self) -> dict[str, str]:
        """What came of the callbacks of the only message, once all have come to an end."""
        while True:
            [message] = (await self.get("/_messages"))["messages"]
            callbacks: dict[str, str] = message["callbacks"]
            if all(outcome.endswith(("taken", "given up")) for outcome in callbacks.values()):
                return callbacks

    async def callback(self) -> Incoming:
        return await asyncio.wait_for(self.receiver.taken.get(), 5)


@asynccontextmanager
async def world(data: Path, http: Http1, **options: Any) -> AsyncIterator[World]:
    keys, receiver = credentials(data), Receiver()
    async with listening(receiver.handle, "127.0.0.1", 0) as public_url:
        fast: dict[str, Any] = {"now": lambda: NOW, "delay": 0.0, "retries": (0.0, 0.0)} | options
        sandbox = Sandbox(data, keys, public_url=public_url, transport=http, **fast)
        async with serve(sandbox) as url:
            it = World(url, public_url, sandbox, keys, http, data)
            it.receiver = receiver
            yield it


def letter(to: str = "anna@example.com", delivery: str = "dlv_1", sender: Any = None, **changes: Any) -> dict[str, Any]:
    mail = {
        "personalizations": [{"to": [{"email": to}], "custom_args": {"delivery_id": delivery, "ref": "ntf_1.n.tag"}}],
        "from": sender or {"email": "shop@example.com", "name": "Shop"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello</p>"}],
    }
    return {name: value for name, value in (mail | changes).items() if value is not None}
