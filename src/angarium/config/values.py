"""From a raw value to a setting's type. No message shows the value."""

from __future__ import annotations

import math
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Struct

from angarium.config.listing import Setting
from angarium.config.names import Where, dotted
from angarium.errors import Invalid, Misconfigured
from angarium.project.durations import duration


class Given(Struct, frozen=True, kw_only=True):
    """One raw value. `origin` is where it stood; `text` says that it came from where everything is a string."""

    setting: Setting
    where: Where
    value: Any
    origin: str
    text: bool = False


def converted(given: Given) -> Any:
    """The value in its setting's type. Raises `Misconfigured`, naming the type that was expected."""
    setting, value = given.setting, given.value
    try:
        if setting.duration and isinstance(value, str):
            value = duration(value, dotted(given.where))
        elif given.text:
            value = _parsed(value.strip(), setting.type)
        found = msgspec.convert(value, setting.type, strict=not given.text)
    except (msgspec.ValidationError, Invalid):
        raise _mistaken(given) from None
    if isinstance(found, float) and not math.isfinite(found):
        raise _mistaken(given)
    return found


def _parsed(text: str, annotation: Any) -> Any:
    """Lists are written with commas or as JSON; what a service's own settings judge may be JSON, too."""
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if plain is Any:
        return _json(text) if text[:1] in ("[", "{") else text
    if get_origin(plain) is not tuple:
        return text
    return _json(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]


def _json(text: str) -> Any:
    """JSON if it is that; a secret may well begin with a bracket."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _mistaken(given: Given) -> Misconfigured:
    return Misconfigured(dotted(given.where), given.origin, f"expected {given.setting.kind}")
