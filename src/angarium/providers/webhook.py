"""Webhooks of our own, by Standard Webhooks 1.0: a signed POST that the receiver can verify and deduplicate.

`webhook-id` is the delivery's id and the same at every try, so a second call has no second effect at a receiver that
keeps the rules; time and signature are new each time. The URL was named by a tenant, so the call is guarded.
"""

from __future__ import annotations

from angarium.__about__ import __version__
from angarium.errors import Invalid, Misconfigured
from angarium.model.message import Hook, Message
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent
from angarium.ports.provider import Tools
from angarium.ports.transport import Request, Response
from angarium.providers import Account, Secret, allowance
from angarium.signing import sign_webhook, webhook_key
from angarium.transport.answers import classify, retry_after
from angarium.transport.url import locate


class Provider:
    """Our own sender of webhooks."""

    channels: tuple[str, ...] = ("webhook",)
    idempotent = True
    receipts = False

    class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """`secret` (`whsec_...`) signs for the endpoints that have none of their own. `base_url` is not used."""

        secret: Secret

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._own = locate(tools.public_url)
        try:
            webhook_key(settings.secret)
        except Invalid as problem:
            key = f"providers.{tools.account}.secret"
            raise Misconfigured(key, "the account's settings", problem.mend) from None

    async def send(self, message: Message) -> Result:
        """One signed POST; the delivery's id is the reference."""
        if not isinstance(message, Hook):
            return Rejected(Reason.invalid_content)
        if refusal := self._refusal(message.url):
            return Rejected(refusal)
        now = self._tools.clock.now()
        try:
            request = self._request(message, now)
        except Invalid:
            return Rejected(Reason.invalid_content)
        return _result(message, await self._tools.http.call(request), now)

    def _refusal(self, url: str) -> Reason | None:
        """Why nobody is called at all: an unreadable URL, or our own address, where calls would go round for ever."""
        try:
            place = locate(url)
        except Invalid:
            return Reason.bad_address
        return Reason.blocked_address if (place.host, place.port) == (self._own.host, self._own.port) else None

    def _request(self, message: Hook, now: float) -> Request:
        """Raises `Invalid` for a secret that cannot sign."""
        secrets = message.secrets or (self._settings.secret,)
        headers = {
            "content-type": "application/json",
            "user-agent": f"Angarium/{__version__}",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": sign_webhook(secrets, message.id, int(now), message.body),
        }
        timeout = allowance(self._settings, message, now)
        return Request(url=message.url, headers=headers, body=message.body, timeout=timeout, guarded=True)


def _result(message: Hook, response: Response, now: float) -> Result:
    """Standard Webhooks: 2xx took it, 410 wants no more, and every other refusal may be gone at the next try.

    401 and 403 speak of one endpoint, so they must not look like trouble with our account.
    """
    if 200 <= response.status < 300:
        return Sent(message.id)
    if response.status == 410:
        return Rejected(Reason.unreachable)
    if response.status == 413:
        return Rejected(Reason.too_large)
    if response.status < 500 and response.status != 429:
        return Retry(Reason.refused, retry_after(response.headers, now))
    return classify(response, now=now)
