"""SMS: one text, and how many segments it takes."""

from __future__ import annotations

from angarium.content.scene import Desk, Render, Scene, known, lines
from angarium.content.templates import Unrenderable
from angarium.model.message import Sms
from angarium.model.reasons import Reason

KEYS = ("text",)
#: Characters; services refuse longer texts.
LONGEST = 1600
#: 3GPP TS 23.038 6.2.1: the default alphabet, and the characters that take two places of it.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = frozenset("^{}\\[~]|€\f")


def prepare(desk: Desk) -> Render:
    """What renders one `sms` table. Raises `Invalid`."""
    known(desk, KEYS)
    text = desk.required("text")

    def render(scene: Scene) -> Sms:
        found = lines(text.render(scene.context))
        if not found:
            raise Unrenderable(Reason.invalid_content, text.where, "gives an empty text")
        if len(found) > LONGEST:
            raise Unrenderable(Reason.too_large, text.where, f"is longer than {LONGEST} characters")
        return Sms(
            id=scene.handover.delivery,
            to=scene.handover.to.value,
            text=found,
            callback_url=scene.callback_url,
            tag=scene.tag,
            deadline=scene.deadline,
        )

    return render


def segments(text: str) -> int:
    """How many SMS a text is sent and paid as; 0 for an empty one.

    160 places of the default alphabet in one, 153 in each of several; as UCS-2 70 and 67 (3GPP TS 23.040 9.2.3.24.1).
    No character is split over two.
    """
    if all(letter in GSM or letter in GSM_DOUBLE for letter in text):
        return _count([2 if letter in GSM_DOUBLE else 1 for letter in text], 160, 153)
    return _count([2 if ord(letter) > 0xFFFF else 1 for letter in text], 70, 67)


def _count(widths: list[int], single: int, part: int) -> int:
    if sum(widths) <= single:
        return min(1, len(widths))
    found, room = 1, part
    for width in widths:
        if width > room:
            found, room = found + 1, part
        room -= width
    return found
