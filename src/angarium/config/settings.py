"""What can be configured: one frozen struct, whose annotations are the checks and the page of reference."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from angarium.telemetry.logs import Format, Level

_PORT = r"(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
_LISTEN = Meta(pattern=rf"^(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):{_PORT}$", title="host:port")
_STORE = Meta(pattern=r"^[a-z][a-z0-9+]*://", title="a URL", extra={"secret": True})
_COUNT = Meta(ge=1, title="a whole number of at least 1")

Listen = Annotated[str, _LISTEN]
Store = Annotated[str, _STORE]
Count = Annotated[int, _COUNT]
#: Seconds; in files and variables also a text such as "7d".
Duration = Annotated[float, Meta(gt=0, title='a duration such as "7d"', extra={"duration": True})]


class Sandbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stand-ins for the delivery services, for accounts that have no credentials."""

    listen: Annotated[Listen, Meta(description="Where the stand-ins and the catcher page are served.")] = (
        "127.0.0.1:8090"
    )


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged, and how a line looks."""

    level: Annotated[Level, Meta(description="The least severe records that are written.")] = "info"
    format: Annotated[Format, Meta(description="`json` for machines, `text` for a terminal.")] = "json"


class Hooks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outgoing webhooks."""

    allow: Annotated[
        tuple[Listen, ...],
        Meta(description="Private receivers, `host:port` each, that webhooks may reach; all others must be public."),
    ] = ()


class ChannelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel."""

    accounts: Annotated[
        tuple[str, ...], Meta(description="Accounts that carry the channel, in the order of failover.")
    ] = ()


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a process. Relative paths in it are made absolute by `sources.load`.

    `providers` has the raw table of each account: its service's own `Settings` checks it, and knows its secrets.
    """

    data: Annotated[str, Meta(description="Directory of the embedded stores, relative to the project.")] = "data"
    broker: Annotated[
        Store, Meta(description="Where events and work are kept. `{data}` stands for the data directory.")
    ] = "sqlite:///{data}/broker.db"
    state: Annotated[Store, Meta(description="Where calls in flight are kept.")] = "sqlite:///{data}/state.db"
    database: Annotated[Store, Meta(description="Where users, preferences, the ledger and timers are kept.")] = (
        "sqlite:///{data}/angarium.db"
    )
    env: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{0,31}$",
            title="up to 32 lower-case letters, digits and hyphens",
            description="Name of the installation, part of the topics' names on a shared broker.",
        ),
    ] = "dev"
    secret: Annotated[
        Annotated[str, Meta(min_length=32)] | None,
        Meta(
            title="text of at least 32 characters",
            description="Signs callback references and inbox tokens, peppers keys. Without it `{data}/secret` is made.",
            extra={"secret": True},
        ),
    ] = None
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            title="an http or https URL",
            description="How delivery services and people reach us. On loopback it follows `listen`.",
        ),
    ] = "http://127.0.0.1:8080"
    listen: Annotated[Listen, Meta(description="Where the HTTP interface is served.")] = "127.0.0.1:8080"
    admin: Annotated[Listen, Meta(description="Where health and metrics are served; keep it private.")] = (
        "127.0.0.1:8081"
    )
    sandbox: Annotated[
        Sandbox | None, Meta(description="Whether accounts without credentials are served by the sandbox.")
    ] = Sandbox()
    drain: Annotated[
        float,
        Meta(ge=0, title="a number of seconds", description="How long work in hand may take after a stop was asked."),
    ] = 20.0
    max_event_bytes: Annotated[Count, Meta(description="Largest event, in bytes.")] = 262_144
    max_batch_events: Annotated[Count, Meta(description="Most events in one request.")] = 1_000
    max_recipients: Annotated[Count, Meta(description="Most recipients that one event may name.")] = 1_000
    retention: Annotated[
        Duration, Meta(description="How long finished records stay in the embedded broker. A number is seconds.")
    ] = 604_800.0
    log: Log = Log()
    providers: Annotated[
        dict[str, dict[str, Any]],
        Meta(description="A table an account: `use` names the service if the account's name does not."),
    ] = {}
    channels: dict[str, ChannelSettings] = {}
    hooks: Hooks = Hooks()

    def __repr__(self) -> str:
        """Without any value: URLs and provider tables carry credentials."""
        return "Settings(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same, for rich."""
        return []
