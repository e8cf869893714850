"""The packaged demonstration: a project directory, five people and an endless row of events about them.

Atossa is easily reached, Cyrus has no telephone, Mandane opted out of SMS, the e-mail to Artabazus bounces, and the
operator never delivers an SMS to Roxana: between them they show each way that a notification can go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

TYPES = ("user.signed_up", "order.shipped", "payment.failed")
GOODS = ("saddle", "lamp", "seal ring", "water skin")
Person = Mapping[str, Any]


def project() -> Path:
    """The directory of the demonstration's workflows, categories and templates."""
    return Path(__file__).with_name("demo")


def people() -> tuple[Person, ...]:
    """The five, as inline recipients of an event."""
    return tuple(msgspec.json.decode((project() / "people.json").read_bytes(), type=list[dict[str, Any]]))


def event(index: int, people: Sequence[Person], name: str = "demo") -> dict[str, Any]:
    """The event number `index` as plain JSON; the same number always gives the same event.

    `name` goes into the id: another demonstration over the same data needs another one, or its events are repetitions.
    """
    type_ = TYPES[index % len(TYPES)]
    person = people[index % len(people)]
    return {
        "id": f"{name}-{index}",
        "type": type_,
        "subject": person["id"],
        "to": [dict(person)],
        "data": data(type_, index),
    }


def data(type_: str, index: int) -> dict[str, Any]:
    """What an event of a type tells."""
    match type_:
        case "user.signed_up":
            return {"plan": "royal" if index % 2 else "plain"}
        case "order.shipped":
            order = f"O-{1000 + index}"
            goods = [{"name": GOODS[index % len(GOODS)], "count": 1 + index % 3}]
            return {"order": order, "goods": goods, "url": f"https://shop.example.com/orders/{order}"}
        case _:
            invoice = f"I-{1000 + index}"
            url = f"https://shop.example.com/invoices/{invoice}"
            return {"invoice": invoice, "amount": f"{10 + index % 90}.00 USD", "url": url}
