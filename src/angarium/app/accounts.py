"""From the tables of the configuration to accounts that can be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from angarium import plugins
from angarium.config.settings import Settings
from angarium.decide.choose import Account, Accounts
from angarium.errors import Invalid, Misconfigured
from angarium.model.channels import CHANNELS
from angarium.pipeline.accounts import LiveAccount
from angarium.ports.provider import Provider, Tools
from angarium.sandbox.credentials import Credentials

#: What runs when nothing is configured: each speaks to its stand-in.
DEFAULT = ("sendgrid", "twilio", "webhook")
#: Needs neither credentials nor configuration.
INBOX = "inbox"


class Wanted(Struct, frozen=True):
    """One account of the configuration: the service's module name and the account's own table."""

    name: str
    use: str
    table: dict[str, Any]


def wanted(settings: Settings) -> list[Wanted]:
    """The accounts in the order of the configuration; the inbox is always there."""
    tables = settings.providers or {name: {} for name in DEFAULT}
    if not any(table.get("use", name) == INBOX for name, table in tables.items()):
        tables = {**tables, INBOX: {}}
    return [
        Wanted(name, str(table.get("use", name)), {key: value for key, value in table.items() if key != "use"})
        for name, table in tables.items()
    ]


def with_sandbox(accounts: Sequence[Wanted], credentials: Credentials | None, url: str) -> list[Wanted]:
    """The same, those without credentials wired to the sandbox at `url`.

    Raises `Misconfigured` when some are real and some are not: then a test would reach people, or people nothing.
    """
    if credentials is None:
        return list(accounts)
    given = {account.name: credentials.settings(account.use, url, account.name) for account in accounts}
    real = [a.name for a in accounts if given[a.name] and given[a.name].keys() & a.table.keys() - {"sender"}]
    sandboxed = [a.name for a in accounts if given[a.name] and a.name not in real]
    if real and sandboxed:
        raise Misconfigured(
            f"providers.{sandboxed[0]}",
            "angarium.toml",
            f"it has no credentials and {real[0]} has: give it some, take it out, or set sandbox = false",
        )
    return [Wanted(a.name, a.use, {**given[a.name], **a.table}) if a.name in sandboxed else a for a in accounts]


def provider(account: Wanted, tools: Tools) -> tuple[Provider, Any]:
    """The account's adapter and its checked settings. Raises `Misconfigured`, which names the key and no value."""
    key = f"providers.{account.name}"
    try:
        module = plugins.load("providers", account.use)
    except Invalid as error:
        raise Misconfigured(f"{key}.use", "the configuration", f"{error.problem}; {error.mend}") from error
    try:
        settings = msgspec.convert(account.table, module.Provider.Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(key, "the configuration", str(error).replace("`$.", "`")) from None
    return module.Provider(settings, tools), settings


def known(live: Mapping[str, LiveAccount], settings: Settings) -> Accounts:
    """What deciding needs to know: each account's abilities, and each channel's failover order."""
    by_name = {
        name: Account(name, account.provider.channels, account.provider.idempotent, account.provider.receipts)
        for name, account in live.items()
    }
    return Accounts(by_name, {channel: _order(channel, by_name, settings) for channel in CHANNELS})


def _order(channel: str, accounts: Mapping[str, Account], settings: Settings) -> tuple[str, ...]:
    """As configured, else every account of the channel in the order of the tables."""
    chosen = settings.channels.get(channel)
    if chosen is None:
        return tuple(name for name, account in accounts.items() if channel in account.channels)
    for name in chosen.accounts:
        if name not in accounts or channel not in accounts[name].channels:
            able = [name for name, account in accounts.items() if channel in account.channels]
            mend = f"{name} is no account for it: " + (f"use {', '.join(able)}" if able else "configure one")
            raise Misconfigured(f"channels.{channel}.accounts", "the configuration", mend)
    return chosen.accounts
