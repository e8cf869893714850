"""The composition root: accounts from tables, loops that are kept running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from angarium.__about__ import __version__
from angarium.app import accounts, serving
from angarium.app.build import Role
from angarium.app.supervisor import Supervisor
from angarium.config.settings import ChannelSettings, Settings
from angarium.database.engine import MEMORY, Database
from angarium.errors import Incompatible, Misconfigured
from angarium.pipeline.accounts import LiveAccount
from angarium.pipeline.insist import Insistence
from angarium.ports.provider import Tools
from angarium.sandbox.credentials import Credentials, credentials
from angarium.telemetry.metrics import Metrics
from angarium.testing import FakeClock
from angarium.testing.transport import ScriptedTransport

REAL = {"api_key": "SG.real", "sender": "Shop <shop@example.com>"}


@pytest.fixture
def made(tmp_path: Path) -> Credentials:
    return credentials(tmp_path)


def tools(account: str) -> Tools:
    return Tools(
        http=ScriptedTransport(),
        database=Database(MEMORY),
        clock=FakeClock(),
        account=account,
        public_url="http://127.0.0.1:8080",
    )


def live(settings: Settings, made: Credentials | None) -> dict[str, LiveAccount]:
    metrics = Metrics(version=__version__)
    wanted = accounts.with_sandbox(accounts.wanted(settings), made, "http://127.0.0.1:8090")
    providers = {account.name: accounts.provider(account, tools(account.name))[0] for account in wanted}
    return {name: LiveAccount(name, provider, FakeClock(), metrics) for name, provider in providers.items()}


def test_without_configuration_every_channel_has_its_stand_in(made: Credentials) -> None:
    known = accounts.known(live(Settings(), made), Settings())
    orders = {channel: order for channel, order in known.by_channel.items() if order}
    assert orders == {
        "email": ("sendgrid",), "sms": ("twilio",), "webhook": ("webhook",), "inbox": ("inbox",),
    }  # fmt: skip


def test_real_credentials_are_left_alone(made: Credentials) -> None:
    settings = Settings(providers={"sendgrid": REAL})
    [sendgrid, inbox] = accounts.with_sandbox(accounts.wanted(settings), made, "http://127.0.0.1:8090")
    assert (sendgrid.table, inbox.use) == (REAL, "inbox")


def test_some_real_and_some_not_is_refused(made: Credentials) -> None:
    settings = Settings(providers={"sendgrid": REAL, "twilio": {}})
    with pytest.raises(Misconfigured, match="twilio"):
        accounts.with_sandbox(accounts.wanted(settings), made, "http://127.0.0.1:8090")


def test_a_second_account_of_a_service_names_it(made: Credentials) -> None:
    settings = Settings(providers={"sendgrid": {}, "sendgrid_eu": {"use": "sendgrid"}})
    known = accounts.known(live(settings, made), settings)
    assert known.by_channel["email"] == ("sendgrid", "sendgrid_eu")


def test_an_unknown_service_names_the_nearest(made: Credentials) -> None:
    with pytest.raises(Misconfigured, match="sendgrid"):
        live(Settings(providers={"sendgird": {}}), made)


@pytest.mark.parametrize(
    ("table", "said"),
    [({"api_key": "SG.x"}, "sender"), ({**REAL, "timeuot": 3}, "timeuot"), ({**REAL, "timeout": "soon"}, "timeout")],
)
def test_an_account_with_a_mistake_is_named_without_its_secret(table: dict[str, object], said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as caught:
        live(Settings(providers={"sendgrid": table}), None)
    assert "providers.sendgrid" in str(caught.value)
    assert "SG." not in str(caught.value)


def test_a_channels_order_must_name_accounts_of_that_channel(made: Credentials) -> None:
    settings = Settings(channels={"email": ChannelSettings(accounts=("twilio",))})
    with pytest.raises(Misconfigured, match="sendgrid"):
        accounts.known(live(settings, made), settings)


def test_a_port_in_use_is_named_with_its_setting() -> None:
    with serving.bind("127.0.0.1:0", "listen") as first:
        taken = serving.url(first).removeprefix("http://")
        with pytest.raises(Misconfigured, match=f"^admin .*{taken}"):
            serving.bind(taken, "admin")


class Loop:
    """A loop that does what it is told, then waits to be stopped."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self.insist, self._act, self._stopped = Insistence("loop"), act, asyncio.Event()

    async def run(self) -> None:
        await self._act()
        await self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


async def test_a_loop_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("angarium.app.supervisor.FIRST", 0.001)
    lives, second = iter([ZeroDivisionError(), None]), asyncio.Event()

    async def act() -> None:
        if error := next(lives):
            raise error
        second.set()

    async with Supervisor([Role("loop", lambda: Loop(act))], Metrics(version="test"), drain=5) as supervisor:
        await asyncio.wait_for(second.wait(), 5)
        assert supervisor.ailing() == []


async def test_a_loop_that_meets_the_future_is_not_replaced_and_says_why() -> None:
    met = asyncio.Event()

    async def act() -> None:
        met.set()
        raise Incompatible(2)

    async with Supervisor([Role("router", lambda: Loop(act))], Metrics(version="test"), drain=5) as supervisor:
        await asyncio.wait_for(met.wait(), 5)
        await asyncio.sleep(0)
        [why] = supervisor.ailing()
        assert why.startswith("router: ")
        assert "upgrade" in why


async def test_a_loop_that_does_not_finish_in_time_is_ended() -> None:
    class Deaf(Loop):
        def stop(self) -> None:
            """It does not listen."""

    async def act() -> None:
        return None

    async with asyncio.timeout(5), Supervisor([Role("deaf", lambda: Deaf(act))], Metrics(version="test"), drain=0.01):
        await asyncio.sleep(0)
