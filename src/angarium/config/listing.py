"""The settings as rows: what a file, a variable or a flag is looked up in, and what the reference page shows."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from angarium.config.settings import Settings


class Setting(Struct, frozen=True, kw_only=True):
    """One row of the reference. `key` is dotted, with `*` for a name of the user's choice; `kind` is for people.

    `secret`: the value, or a part of it, must not be shown, and a variable ending in `_FILE` may name its file.
    `default` is a text for the page; the values are in `Settings`.
    """

    key: str
    type: Any
    kind: str
    default: str
    description: str
    secret: bool = False
    duration: bool = False

    def matches(self, path: tuple[str, ...]) -> bool:
        """Whether this is the setting at `path`."""
        return self.leads(path) and len(path) == self.key.count(".") + 1

    def leads(self, path: tuple[str, ...]) -> bool:
        """Whether this is the setting at `path` or lies in the table at `path`."""
        names = self.key.split(".")
        return len(path) <= len(names) and all(name in ("*", part) for name, part in zip(names, path, strict=False))


def listing() -> tuple[Setting, ...]:
    """Every setting, in the order of the struct."""
    return tuple(_rows(Settings, ()))


def _rows(struct: type[Struct], above: tuple[str, ...]) -> Iterator[Setting]:
    for field in msgspec.structs.fields(struct):
        path = (*above, field.name)
        plain, metas = _stripped(field.type)
        inside = _struct_in(plain)
        if get_origin(plain) is dict:
            yield from _table(get_args(plain)[1], path, metas)
        elif inside is None:
            yield _leaf(path, field.type, metas, field.default)
        else:
            if inside is not plain:
                yield _leaf(path, bool, metas, field.default is not None)
            yield from _rows(inside, path)


def _table(values: Any, path: tuple[str, ...], metas: list[Meta]) -> Iterator[Setting]:
    """Rows of a table whose names the user chooses: of one struct each, or of what a provider's own settings say."""
    inside = _struct_in(values)
    if inside is None:
        key = ".".join((*path, "*", "*"))
        yield Setting(key=key, type=Any, kind="see the service", default="", description=_said(metas), secret=True)
    else:
        yield from _rows(inside, (*path, "*"))


def _leaf(path: tuple[str, ...], annotation: Any, metas: list[Meta], default: Any) -> Setting:
    extra = {name: value for meta in metas for name, value in (meta.extra or {}).items()}
    titles = [meta.title for meta in metas if meta.title]
    return Setting(
        key=".".join(path),
        type=annotation,
        kind=titles[-1] if titles else _kind(annotation),
        default=_written(default, bool(extra.get("duration"))),
        description=_said(metas),
        secret=bool(extra.get("secret")),
        duration=bool(extra.get("duration")),
    )


def _stripped(annotation: Any) -> tuple[Any, list[Meta]]:
    """A type without what is annotated to it, and that."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    plain, *metas = get_args(annotation)
    return plain, [meta for meta in metas if isinstance(meta, Meta)]


def _struct_in(annotation: Any) -> type[Struct] | None:
    """The struct that a type is, or is unless it is None."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((member for member in members if isinstance(member, type) and issubclass(member, Struct)), None)


def _kind(annotation: Any) -> str:
    plain, metas = _stripped(annotation)
    titles = [meta.title for meta in metas if meta.title]
    if titles:
        return titles[-1]
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(f'"{word}"' for word in get_args(plain))
    if get_origin(plain) is tuple:
        return f"a list of {_kind(get_args(plain)[0])}"
    return {str: "text", bool: "true or false"}.get(plain, "a value")


def _said(metas: list[Meta]) -> str:
    return next((meta.description for meta in metas if meta.description), "")


def _written(value: Any, duration: bool) -> str:
    """A default as it would be written in the file; empty when there is none."""
    if value is None:
        return ""
    return msgspec.json.encode(f"{value / 86400:g}d" if duration else value).decode()
