"""Delivery services: one file a service, found by its name. Here is what the accounts of all of them have alike.

A service's file holds its settings, its table of errors, one call and, where the service reports, one callback. It
makes no second try and keeps no state: whether to repeat, to wait or to take another account is decided elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from angarium.model.message import Message

T = TypeVar("T")

_SECRET = Meta(min_length=1, extra={"secret": True})

#: Text that no repr shows. To everything else it is a plain `str`.
Secret = Annotated[str, _SECRET]

#: Where a service is: http or https, without credentials, query or fragment. A path prefix is allowed.
Place = Annotated[str, Meta(pattern=r"^https?://[^\s@?#]+$")]


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One configured set of credentials for a service; each service adds its own settings.

    `base_url` may carry a path prefix. `timeout` is seconds for a whole call, `rate` calls a second (None: no limit of
    ours), `concurrency` calls at once, `ca_file` a PEM file of authorities trusted besides the system's.
    """

    base_url: Place = ""
    timeout: Annotated[float, Meta(gt=0)] = 15.0
    rate: Annotated[float, Meta(gt=0)] | None = None
    concurrency: Annotated[int, Meta(ge=1)] = 64
    ca_file: str | None = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What may be shown: a secret is three stars, so that not even its length is told."""
        fields = msgspec.structs.fields(self)
        return [
            (field.name, "***" if _SECRET in get_args(field.type) else getattr(self, field.name)) for field in fields
        ]

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def allowance(account: Account, message: Message, now: float) -> float:
    """Seconds that a call may take: the account's timeout, cut at the message's deadline if it has one (not 0).

    A deadline that has passed leaves a millisecond: the call then fails before anything is written.
    """
    left = message.deadline - now if message.deadline else account.timeout
    return max(min(account.timeout, left), 0.001)


def parsed(body: bytes, shape: type[T]) -> T | None:
    """A service's JSON; None for garbage of any kind: broken, of another shape, not UTF-8, too deep."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (ValueError, RecursionError):
        return None
