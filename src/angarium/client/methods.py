"""The methods of both clients, written once: each makes a call of `client.calls` and gives what its `call` gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from angarium.client import calls
from angarium.client.calls import Call

P = ParamSpec("P")
T = TypeVar("T")


class Method(Generic[P, T]):
    """A method from a function that describes a call. Whether it is awaited depends on the client that has it."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self.build, self.__doc__ = build, build.__doc__

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: Plain, owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaited, owner: Any) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Plain | Awaited | None, owner: Any) -> Any:
        """Bound to a client, or itself where a class is asked."""
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.call(self.build(*args, **kwargs))

        return method


class Methods:
    """What both clients can do."""

    publish = Method(calls.publish)
    explain = Method(calls.explain)
    audit = Method(calls.audit)
    dead = Method(calls.dead)
    dead_letter = Method(calls.dead_letter)
    replay = Method(calls.replay)
    keys = Method(calls.keys)
    create_key = Method(calls.create_key)
    revoke_key = Method(calls.revoke_key)


class Plain(Methods, ABC):
    """A client whose calls block."""

    @abstractmethod
    def call(self, call: Call[T]) -> T:
        """Make any call of `client.calls`."""


class Awaited(Methods, ABC):
    """A client whose calls are awaited."""

    @abstractmethod
    async def call(self, call: Call[T]) -> T:
        """Make any call of `client.calls`."""
