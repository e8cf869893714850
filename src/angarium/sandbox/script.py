"""Failure scripts: which of the next calls goes wrong, and how."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from angarium.errors import Invalid

Provider = Literal["sendgrid", "twilio", "webhook"]
PROVIDERS: tuple[Provider, ...] = ("sendgrid", "twilio", "webhook")
Mode = Literal["ok", "429", "500", "hang", "reset", "garbage", "accept_then_hang"]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Callbacks = Literal["on", "off"] | Seconds


class Rule(Struct, frozen=True, kw_only=True):
    """How a stand-in behaves at present.

    `mode` applies to the share `rate` of the calls, spread evenly, until `count` of them failed (none: without end).
    `429` and `500` answer so; `hang` never answers and `reset` closes with RST, both before the message is accepted;
    `garbage` accepts and answers 2xx with bytes that mean nothing; `accept_then_hang` accepts and never answers.
    Every answer takes `latency` seconds. `callbacks` are on, off, or on with a delay in seconds of their own.
    """

    mode: Mode = "ok"
    rate: Share = 1.0
    count: Annotated[int, Meta(ge=1)] | None = None
    retry_after: Seconds | None = None
    latency: Seconds = 0.0
    callbacks: Callbacks = "on"


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A script as posted. A `mode` sets `rate`, `count` and `retry_after` anew; what is not named stays."""

    provider: Provider
    mode: Mode | UnsetType = UNSET
    rate: Share = 1.0
    count: Annotated[int, Meta(ge=1)] | None = None
    retry_after: Seconds | None = None
    latency: Seconds | UnsetType = UNSET
    callbacks: Callbacks | UnsetType = UNSET


class Script:
    """The present rule of each stand-in."""

    def __init__(self) -> None:
        self.rules: dict[Provider, Rule] = {provider: Rule() for provider in PROVIDERS}
        self._due: dict[Provider, float] = dict.fromkeys(PROVIDERS, 0.0)

    def change(self, change: Change) -> Rule:
        """Take a script over from the next call on; gives the rule that holds now."""
        rule = self.rules[change.provider]
        if change.mode is not UNSET:
            failure = {"mode": change.mode, "rate": change.rate, "count": change.count}
            rule = msgspec.structs.replace(rule, **failure, retry_after=change.retry_after)
            self._due[change.provider] = 0.0
        if change.latency is not UNSET:
            rule = msgspec.structs.replace(rule, latency=change.latency)
        if change.callbacks is not UNSET:
            rule = msgspec.structs.replace(rule, callbacks=change.callbacks)
        self.rules[change.provider] = rule
        return rule

    def turn(self, provider: Provider) -> Mode:
        """What happens to the call that came just now. No dice: a rate of 0.25 hits every fourth call."""
        rule = self.rules[provider]
        if rule.mode == "ok":
            return "ok"
        self._due[provider] += rule.rate
        if self._due[provider] < 1 - 1e-9:
            return "ok"
        self._due[provider] -= 1
        if rule.count is not None:
            self.rules[provider] = _spent(rule, rule.count - 1)
        return rule.mode


def _spent(rule: Rule, left: int) -> Rule:
    if left:
        return msgspec.structs.replace(rule, count=left)
    return Rule(latency=rule.latency, callbacks=rule.callbacks)


def read(body: bytes) -> Change:
    """A posted script. Raises `Invalid`."""
    try:
        return msgspec.json.decode(body, type=Change)
    except msgspec.DecodeError as error:
        raise Invalid("body", str(error), "see `GET /_script` for the fields of a rule") from error
