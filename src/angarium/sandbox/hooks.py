"""Stand-ins for webhook receivers: `POST /hooks/{name}` after the Standard Webhooks specification."""

from __future__ import annotations

from collections.abc import Mapping

from angarium import signing
from angarium.ports.provider import Forged
from angarium.ports.transport import Response
from angarium.sandbox.script import Provider
from angarium.sandbox.server import Incoming
from angarium.sandbox.stand_in import Accepted, References, Shown, retry_header

#: The receiver of this name has gone for good: it answers 410, which disables an endpoint.
GONE = "gone"


class Hooks:
    """Receivers of any name. `named` holds the secrets of receivers that have one of their own (`whsec_...`)."""

    provider: Provider = "webhook"

    def __init__(self, secret: str, named: Mapping[str, str]) -> None:
        self._secret, self._named, self._references = secret, named, References()

    def take(self, path: str, incoming: Incoming, at: float) -> Accepted | Response:
        """204 to what is signed, 200 to what was taken before, 401 to what is not, 400 without an id."""
        if incoming.method != "POST":
            return Response(status=405)
        if not path or "/" in path:
            return Response(status=404)
        if path == GONE:
            return Response(status=410)
        if not (delivery := incoming.headers.get("webhook-id", "")):
            return Response(status=400, body=b"webhook-id is missing")
        try:
            signing.verify_webhook([self._named.get(path, self._secret)], incoming.headers, incoming.body, at)
        except Forged as error:
            return Response(status=401, body=str(error).encode())
        return self._accept(path, delivery, incoming.body.decode("utf-8", "replace"))

    def _accept(self, name: str, delivery: str, text: str) -> Accepted:
        return Accepted(
            account=self.provider,
            delivery_id=delivery,
            reference=f"hook_{self._references.next()}",
            answer=Response(status=204),
            again=Response(status=200),
            shown=Shown(channel="webhook", to=name, text=text),
        )

    def failure(self, status: int, retry_after: float | None) -> Response:
        """An outage has no form of its own here."""
        return Response(status=status, headers=retry_header(retry_after))
