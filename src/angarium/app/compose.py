"""Putting one process together: sandbox, accounts, workers, HTTP, over stores that are open already."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from angarium.__about__ import __version__
from angarium.api import auth
from angarium.api.admin import admin
from angarium.api.application import application
from angarium.api.services import Services
from angarium.app import accounts, build, serving
from angarium.app.accounts import Wanted
from angarium.app.clock import SystemClock
from angarium.app.stores import Opened
from angarium.app.supervisor import Supervisor
from angarium.config import local
from angarium.config.local import Local
from angarium.config.secret import secret
from angarium.config.settings import Settings
from angarium.database import health
from angarium.database import keys as key_rows
from angarium.decide.choose import Accounts
from angarium.pipeline.accept import Accept, Limits
from angarium.pipeline.accounts import LiveAccount
from angarium.pipeline.audit import Groups, audit
from angarium.pipeline.publishing import Stores
from angarium.pipeline.releases import Releases
from angarium.pipeline.sender import Surroundings
from angarium.pipeline.topics import Topics
from angarium.ports.provider import Receiver, Tools
from angarium.ports.transport import Transport
from angarium.project import Release
from angarium.sandbox.credentials import Credentials, credentials
from angarium.sandbox.service import Sandbox
from angarium.sandbox.service import serve as serve_sandbox
from angarium.telemetry.metrics import Metrics
from angarium.telemetry.readings import Readings
from angarium.transport.guard import Guard
from angarium.transport.http1 import Http1

#: The key that a server on this machine leaves for its operator's commands: made anew at each start.
LOCAL_KEY = "key_00000000-0000-7000-8000-000000000000"


class Running(Struct, frozen=True):
    """A process that serves. `key` operates it; `sandbox` is the catcher page, if there is one."""

    url: str
    admin: str
    key: str
    sandbox: str | None
    release: Release
    accept: Accept


class Site(Struct, frozen=True):
    """Where this process is: its settings and its listening sockets."""

    settings: Settings
    api: socket.socket
    admin: socket.socket

    @property
    def data(self) -> Path:
        """The directory of the embedded files."""
        return Path(self.settings.data)

    @property
    def public_url(self) -> str:
        """How services reach us: as configured, or where we listen when that is this machine."""
        if self.settings.listen.endswith(":0"):
            return serving.url(self.api)
        return self.settings.public_url.rstrip("/")


async def start(
    stack: AsyncExitStack, site: Site, stores: Opened, clock: SystemClock, release: Release, environ: Mapping[str, str]
) -> Running:
    """Start everything in order; what was entered on `stack` is left in the reverse."""
    settings, key = site.settings, secret(site.settings)
    catcher, made = await _sandbox(stack, site)
    guard = Guard((*settings.hooks.allow, *([catcher.removeprefix("http://")] if catcher else [])))
    wanted = accounts.with_sandbox(accounts.wanted(settings), made, catcher or "")
    metrics = Metrics(version=__version__, accounts=tuple(account.name for account in wanted))
    metrics.release(release.id)
    live = await _accounts(stack, site, wanted, guard, stores, clock, metrics)
    topics = Topics(settings.env)
    await stores.broker.prepare(topics.every())
    around = Surroundings(
        Stores(stores.broker, stores.database, clock, metrics, topics),
        stores.state,
        Releases(release),
        live,
        key,
        site.public_url,
    )
    known = accounts.known(live, settings)
    supervisor = Supervisor(build.roles(around, known, settings.max_recipients), metrics, settings.drain)
    metrics.read = lambda: _readings(supervisor, stores, clock)
    await stack.enter_async_context(supervisor)
    limits = Limits(settings.max_event_bytes, settings.max_batch_events, settings.max_recipients)
    accept = Accept(stores.broker, stores.database, around.releases, topics, clock, metrics, limits)
    services = _services(around, known, accept, stores)
    await stack.enter_async_context(serving.serve(application(services), site.api))
    admin_key = await _leave_word(stack, site, stores, key, clock, environ)
    await stack.enter_async_context(serving.serve(admin(metrics, supervisor.ailing), site.admin))
    return Running(serving.url(site.api), serving.url(site.admin), admin_key, catcher, release, accept)


async def _sandbox(stack: AsyncExitStack, site: Site) -> tuple[str | None, Credentials | None]:
    """The stand-ins, if they are wanted: where they listen, and what accounts need to speak to them."""
    if site.settings.sandbox is None:
        return None, None
    made = credentials(site.data)
    transport = await stack.enter_async_context(Http1())
    sandbox = Sandbox(site.data, made, public_url=site.public_url, transport=transport)
    host, _, port = site.settings.sandbox.listen.rpartition(":")
    served = await stack.enter_async_context(serve_sandbox(sandbox, host.strip("[]"), int(port)))
    return served.rstrip("/"), made


async def _accounts(
    stack: AsyncExitStack,
    site: Site,
    wanted: Sequence[Wanted],
    guard: Guard,
    stores: Opened,
    clock: SystemClock,
    metrics: Metrics,
) -> dict[str, LiveAccount]:
    """Every account with its provider; accounts that trust the same certificates share a client."""
    clients: dict[str | None, Transport] = {}
    live: dict[str, LiveAccount] = {}
    for account in wanted:
        trusted = account.table.get("ca_file")
        if trusted not in clients:
            clients[trusted] = await stack.enter_async_context(Http1(guard, trusted))
        tools = Tools(
            http=clients[trusted],
            database=stores.database,
            clock=clock,
            account=account.name,
            public_url=site.public_url,
        )
        provider, own = accounts.provider(account, tools)
        live[account.name] = LiveAccount(
            account.name,
            provider,
            clock,
            metrics,
            timeout=own.timeout,
            rate=own.rate,
            concurrency=own.concurrency,
        )
    return live


def _services(around: Surroundings, known: Accounts, accept: Accept, stores: Opened) -> Services:
    """What the HTTP interface is handed."""
    receivers = {n: a.provider for n, a in around.accounts.items() if isinstance(a.provider, Receiver)}
    clock = around.stores.clock
    release = around.releases.current
    groups = Groups(channels=[channel for channel, order in known.by_channel.items() if order])
    return Services(
        accept=accept,
        database=stores.database,
        broker=stores.broker,
        state=stores.state,
        clock=clock,
        metrics=around.stores.metrics,
        topics=around.stores.topics,
        secret=around.secret,
        public_url=around.public_url,
        receivers=receivers,
        audit=lambda: audit(stores.broker, stores.database, around.stores.topics, clock, groups=groups),
        types=lambda: sorted({pattern for workflow in release.workflows.values() for pattern in workflow.on}),
    )


async def _readings(supervisor: Supervisor, stores: Opened, clock: SystemClock) -> Readings:
    """What only the stores know, for a scrape."""
    pulse = await stores.database.read(health.pulse, clock.now())
    lag: dict[tuple[str, str], tuple[float, float]] = {}
    for group, consumer in supervisor.consumers():
        for topic, found in (await consumer.lag()).items():
            lag[topic, group] = (found.records, found.seconds)
    return Readings(
        lag=lag,
        oldest_unfinished=pulse.oldest_unfinished,
        unknown=pulse.unknown,
        parked=pulse.parked,
        oldest_due_timer=pulse.oldest_due_timer,
    )


async def _leave_word(
    stack: AsyncExitStack, site: Site, stores: Opened, pepper: bytes, clock: SystemClock, environ: Mapping[str, str]
) -> str:
    """A key for this machine's operator, and on loopback the word of where to use it."""
    text, row = auth.mint(pepper, LOCAL_KEY, tenant="default", name="local", scopes=("operate",), created=clock.now())
    await stores.database.write(key_rows.create, row)
    if serving.is_loopback(site.api):
        word = Local(url=serving.url(site.api), key=text, pid=os.getpid())
        local.write(word, environ)
        stack.callback(local.remove, word, environ)
    return text
