"""What every delivery service's adapter must do.

A test class inherits `ProviderContract`, or `HttpContract` if the service is called by HTTP, and `ReceiverContract`
beside it if it calls back; it sets `rig`. Services differ in their codes, so where an adapter may choose, the suite
takes any choice that is safe.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pprint import pformat
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import Struct

from angarium.model.message import Message
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.ports.provider import Callback, Forged, Provider, Receiver, Tools, Writer
from angarium.ports.transport import Request, Response
from angarium.testing.transport import ScriptedTransport
from angarium.transport.answers import failure
from angarium.transport.errors import CallFailed

#: Unix seconds at which every test of the suite happens.
NOW = 1_700_000_000.0
ODD_BODIES = (b"", b"\xff\xfe", b"[" * 5000, b"null", b"{}", b'{"errors": 7, "code": []}', b"<html>busy</html>")


class Rig(Struct, frozen=True, kw_only=True):
    """What the suite must know of an adapter.

    `settings` is the account's table as configured, `secrets` the names in it that must stay hidden. `taken` is what
    the service answers when it takes `message`, `garbage` successes that nobody can read. `callbacks` are genuine ones
    about `message`, with no header but signed ones and signatures; `stranger` makes the settings another account's.
    """

    kind: type[Any]
    settings: Mapping[str, Any]
    secrets: tuple[str, ...] = ()
    message: Message
    taken: Response = Response(status=200)
    garbage: tuple[Response, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    stranger: Mapping[str, Any] = {}

    def build(self, http: ScriptedTransport, database: Writer, **changed: Any) -> Provider:
        """The adapter with these settings, some of them changed."""
        settings = msgspec.convert({**self.settings, **changed}, self.kind.Settings)
        public = "https://relay.example"
        provider: Provider = self.kind(
            settings, Tools(http=http, database=database, clock=Still(), account="ours", public_url=public)
        )
        return provider


class Still:
    """A clock that stands at `NOW`."""

    def now(self) -> float:
        """Unix seconds."""
        return NOW

    def elapsed(self) -> float:
        """The same."""
        return NOW


class NoDatabase:
    """For adapters that must not need one."""

    async def write(self, query: Any, *arguments: Any) -> Any:
        """Any use of it is the adapter's defect."""
        raise AssertionError("this adapter has no business with the database")


async def outcome(provider: Provider, message: Message) -> Result:
    """What a Sender makes of one call: failures of transport are classified there, not in the adapter."""
    try:
        return await provider.send(message)
    except CallFailed as error:
        return failure(error)
    except msgspec.DecodeError:
        return Unknown(Reason.garbage)


class ProviderContract:
    """Holds for every adapter. A subclass whose adapter writes rows overrides the fixture `database`."""

    rig: ClassVar[Rig]

    @pytest.fixture
    async def database(self) -> AsyncIterator[Writer]:
        """What the adapter is given to write rows."""
        yield NoDatabase()

    async def test_a_message_that_is_taken_is_sent_with_a_reference(self, database: Writer) -> None:
        result = await self.rig.build(ScriptedTransport(self.rig.taken), database).send(self.rig.message)
        assert isinstance(result, Sent)
        assert result.reference

    async def test_it_says_what_it_can_do(self, database: Writer) -> None:
        provider = self.rig.build(ScriptedTransport(), database)
        assert provider.channels
        assert isinstance(provider.idempotent, bool)
        assert isinstance(provider.receipts, bool)

    async def test_a_setting_that_is_not_known_is_refused(self, database: Writer) -> None:
        with pytest.raises(msgspec.ValidationError, match="no_such_setting"):
            self.rig.build(ScriptedTransport(), database, no_such_setting=1)

    async def test_every_account_takes_the_settings_that_all_have(self, database: Writer) -> None:
        shared = {
            "base_url": "https://proxy.example/prefix",
            "timeout": 2,
            "rate": 10,
            "concurrency": 3,
            "ca_file": "a",
        }
        settings = msgspec.convert({**self.rig.settings, **shared}, self.rig.kind.Settings)
        assert {name: getattr(settings, name) for name in shared} == shared

    @pytest.mark.parametrize("url", ["ftp://a.example", "https://user:canary@a.example", "https://a.example?k=canary"])
    async def test_an_address_of_the_service_that_cannot_be_used_is_not_shown(self, url: str, database: Writer) -> None:
        with pytest.raises(msgspec.ValidationError, match="base_url") as caught:
            self.rig.build(ScriptedTransport(), database, base_url=url)
        assert "canary" not in str(caught.value)

    async def test_nothing_that_is_printed_shows_a_secret(self, database: Writer) -> None:
        settings = msgspec.convert(self.rig.settings, self.rig.kind.Settings)
        provider = self.rig.build(ScriptedTransport(), database)
        printed = repr(settings) + str(settings) + pformat(settings) + repr(settings.__rich_repr__()) + repr(provider)
        assert all(str(self.rig.settings[name]) not in printed for name in self.rig.secrets)
        assert all(f"{name}='***'" in printed for name in self.rig.secrets)

    async def test_an_error_about_a_secret_does_not_show_it(self, database: Writer) -> None:
        for name in self.rig.secrets:
            with pytest.raises(msgspec.ValidationError) as caught:
                self.rig.build(ScriptedTransport(), database, **{name: [self.rig.settings[name]]})
            assert self.rig.settings[name] not in str(caught.value)


class HttpContract(ProviderContract):
    """Holds for every adapter that calls a service by HTTP."""

    async def test_one_message_is_one_call_that_carries_the_delivery(self, database: Writer) -> None:
        """Also when it fails: repeating is decided elsewhere."""
        for status in (self.rig.taken.status, 429, 500, 503):
            http = ScriptedTransport(Response(status=status))
            await outcome(self.rig.build(http, database), self.rig.message)
            [request] = http.requests
            assert self.rig.message.id in _text(request)

    async def test_no_call_outlasts_the_timeout_or_the_deadline(self, database: Writer) -> None:
        for deadline, longest in ((0.0, 9.0), (NOW + 3600, 9.0), (NOW + 4, 4.0), (NOW - 1, 0.001)):
            http = ScriptedTransport(self.rig.taken)
            message = msgspec.structs.replace(self.rig.message, deadline=deadline)
            await self.rig.build(http, database, timeout=9).send(message)
            assert http.requests[0].timeout == longest

    @pytest.mark.parametrize(
        ("status", "allowed"),
        [
            (302, Rejected | Retry),
            (400, Rejected | Retry),
            (401, Retry),
            (403, Retry),
            (404, Rejected | Retry),
            (410, Rejected),
            (429, Retry),
            (500, Unknown),
            (502, Unknown),
            (503, Retry | Unknown),
            (504, Unknown),
        ],
    )
    async def test_every_class_of_answer_has_its_result(self, status: int, allowed: Any, database: Writer) -> None:
        provider = self.rig.build(ScriptedTransport(Response(status=status)), database)
        assert isinstance(await outcome(provider, self.rig.message), allowed)

    async def test_retry_after_is_honoured(self, database: Writer) -> None:
        answer = Response(status=429, headers={"retry-after": "7"})
        result = await outcome(self.rig.build(ScriptedTransport(answer), database), self.rig.message)
        assert result == Retry(Reason.rate_limited, 7.0)

    async def test_a_success_that_cannot_be_read_is_unknown(self, database: Writer) -> None:
        for answer in self.rig.garbage:
            result = await outcome(self.rig.build(ScriptedTransport(answer), database), self.rig.message)
            assert result == Unknown(Reason.garbage)

    @pytest.mark.parametrize("body", ODD_BODIES)
    async def test_no_body_however_odd_breaks_it(self, body: bytes, database: Writer) -> None:
        for status in (200, 201, 202, 204, 400, 401, 404, 429, 500, 503):
            http = ScriptedTransport(Response(status=status, body=body, headers={"retry-after": "soon"}))
            assert isinstance(await outcome(self.rig.build(http, database), self.rig.message), Result)

    @pytest.mark.parametrize("written", [False, True])
    async def test_a_failed_call_is_unknown_only_if_something_was_written(
        self, written: bool, database: Writer
    ) -> None:
        error = CallFailed(Reason.timeout, written=written)
        result = await outcome(self.rig.build(ScriptedTransport(error), database), self.rig.message)
        assert result == (Unknown(Reason.timeout) if written else Retry(Reason.timeout))


class ReceiverContract(ProviderContract):
    """Holds for every adapter that is called back."""

    def receiver(self, database: Writer, **changed: Any) -> Receiver:
        """The adapter, which must have a `callback`."""
        provider = self.rig.build(ScriptedTransport(), database, **changed)
        assert isinstance(provider, Receiver)
        return provider

    async def test_a_genuine_callback_names_the_delivery_and_brings_its_reference_back(self, database: Writer) -> None:
        for callback in self.rig.callbacks:
            received = await self.receiver(database).callback(callback)
            assert received.reports
            assert {report.delivery for report in received.reports} == {self.rig.message.id}
            assert {report.ref for report in received.reports} == {self.rig.message.tag}
            assert 200 <= received.status < 300

    async def test_a_repeated_callback_says_the_same_again(self, database: Writer) -> None:
        """Any process may get it, so nothing is remembered: the identity of a report makes its repetition visible."""
        for callback in self.rig.callbacks:
            first, again = [await self.receiver(database).callback(callback) for _ in range(2)]
            assert first == again
            assert len({report.dedup for report in first.reports}) == len(first.reports)

    async def test_any_changed_byte_of_the_body_is_forged(self, database: Writer) -> None:
        receiver = self.receiver(database)
        for callback in self.rig.callbacks:
            for body in _mutations(callback.body):
                with pytest.raises(Forged):
                    await receiver.callback(msgspec.structs.replace(callback, body=body))

    async def test_any_changed_byte_of_a_signature_header_is_forged(self, database: Writer) -> None:
        receiver = self.receiver(database)
        for callback in self.rig.callbacks:
            for name, value in callback.headers.items():
                for changed in [*_mutations(value.encode()), b"", value.encode() + b"=", b"\xe9"]:
                    headers = {**callback.headers, name: changed.decode("latin-1")}
                    with pytest.raises(Forged):
                        await receiver.callback(msgspec.structs.replace(callback, headers=headers))

    async def test_a_callback_without_a_signature_is_forged(self, database: Writer) -> None:
        for callback in self.rig.callbacks:
            for name in callback.headers:
                rest = {other: value for other, value in callback.headers.items() if other != name}
                with pytest.raises(Forged):
                    await self.receiver(database).callback(msgspec.structs.replace(callback, headers=rest))

    async def test_a_genuine_callback_of_another_account_is_forged(self, database: Writer) -> None:
        for callback in self.rig.callbacks:
            with pytest.raises(Forged):
                await self.receiver(database, **self.rig.stranger).callback(callback)

    async def test_a_refusal_shows_neither_secret_nor_body(self, database: Writer) -> None:
        for callback in self.rig.callbacks:
            with pytest.raises(Forged) as caught:
                await self.receiver(database).callback(msgspec.structs.replace(callback, headers={}))
            assert callback.body.decode() not in str(caught.value)
            assert all(self.rig.settings[name] not in str(caught.value) for name in self.rig.secrets)


def _text(request: Request) -> str:
    return " ".join([request.url, *request.headers.values(), request.body.decode()])


def _mutations(data: bytes) -> Iterator[bytes]:
    """Each byte changed by its lowest bit, in turn; then one byte less and one more."""
    for index, byte in enumerate(data):
        yield data[:index] + bytes([byte ^ 1]) + data[index + 1 :]
    yield data[:-1]
    yield data + b"0"
