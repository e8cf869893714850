"""From where settings come: defaults, then `angarium.toml`, then `ANGARIUM_*`, then `*_FILE`, then flags.

Each source gives the same thing, raw values by name with the place where they stood, so that a later one simply
replaces an earlier one, and every mistake can say where to look. No message shows a value.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from angarium.config.names import Names, Where, dotted
from angarium.config.settings import Settings
from angarium.config.values import Given, converted
from angarium.errors import Invalid, Misconfigured

FILE = "angarium.toml"
PREFIX = "ANGARIUM_"
DEFAULT = "default"
#: Of the client, not settings: where the server is, its key, and which project the command line works on.
CLIENTS = frozenset({"ANGARIUM_URL", "ANGARIUM_KEY", "ANGARIUM_PROJECT"})
#: Bytes of a file that holds a secret.
LARGEST_SECRET = 65_536

#: What Kubernetes puts into every container for a service named `angarium` or `angarium-something`.
_KUBERNETES = re.compile(
    r"ANGARIUM_(?:[A-Z0-9]+_)*(?:SERVICE_(?:HOST|PORT)(?:_[A-Z0-9]+)*|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)?)"
)


class Loaded(Struct, frozen=True):
    """The settings, and by dotted key where each value came from: `default`, `angarium.toml`, a variable, a flag."""

    settings: Settings
    origins: Mapping[str, str]


def load(project: Path, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Loaded:
    """The settings of the project in a directory; without an `angarium.toml` the defaults hold.

    `flags` are by dotted key; None means not given. Empty variables count as not given. Raises `Misconfigured` for a
    value that cannot be used or a name that is not there, `Invalid` for a file that cannot be read.
    """
    names = Names()
    document = _document(project / FILE)
    sources = (
        _from_document(document, names, ()),
        _from_variables(environ, names),
        _from_secret_files(environ, names, project),
        _from_flags(flags, names),
    )
    given = {one.where: one for one in chain.from_iterable(sources)}
    origins = {row.key: DEFAULT for row in names.rows if "*" not in row.key}
    origins |= {dotted(where): one.origin for where, one in given.items()}
    settings = msgspec.convert(_tree(document, given.values()), Settings)
    return Loaded(_placed(settings, Path(os.path.abspath(project)), origins), origins)


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise Invalid(FILE, "it is not UTF-8", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Invalid(FILE, _told(error), "see https://toml.io for the syntax") from None
    except OSError as error:
        raise Invalid(FILE, f"it cannot be read ({error.strerror})") from None


def _told(error: tomllib.TOMLDecodeError) -> str:
    """The place alone: the parser's own words may quote a key or a character of a secret."""
    place = re.search(r"\((at [a-z0-9, ]+)\)$", str(error))
    return f"it is not TOML ({place[1] if place else 'at an unknown place'})"


def _from_document(table: Mapping[str, Any], names: Names, above: Where) -> Iterator[Given]:
    for name, value in table.items():
        where = (*above, name)
        if isinstance(value, dict) and names.is_table(where):
            names.table(where, FILE)
            yield from _from_document(value, names, where)
        elif names.find(where) is None and names.is_table(where):
            raise Misconfigured(dotted(where), FILE, "expected a table")
        else:
            yield Given(setting=names.at(where, FILE), where=where, value=value, origin=FILE)


def _from_variables(environ: Mapping[str, str], names: Names) -> Iterator[Given]:
    for variable, value in _ours(environ):
        if _file_of(variable, names) is None:
            where = _where(variable)
            yield Given(setting=names.at(where, variable), where=where, value=value, origin=variable, text=True)


def _from_secret_files(environ: Mapping[str, str], names: Names, project: Path) -> Iterator[Given]:
    for variable, path in _ours(environ):
        where = _file_of(variable, names)
        if where is not None:
            value = _content(project / path, where, variable)
            yield Given(setting=names.at(where, variable), where=where, value=value, origin=variable, text=True)


def _from_flags(flags: Mapping[str, Any], names: Names) -> Iterator[Given]:
    for key, value in flags.items():
        if value is not None:
            where, origin = tuple(key.split(".")), f"--{key.replace('.', '-').replace('_', '-')}"
            setting, text = names.at(where, origin), isinstance(value, str)
            yield Given(setting=setting, where=where, value=value, origin=origin, text=text)


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that mean a setting, in order of their names."""
    for variable, value in sorted(environ.items()):
        foreign = "__" not in variable and _KUBERNETES.fullmatch(variable)
        if variable.startswith(PREFIX) and variable not in CLIENTS and value.strip() and not foreign:
            yield variable, value


def _where(variable: str) -> Where:
    return tuple(variable.removeprefix(PREFIX).lower().split("__"))


def _file_of(variable: str, names: Names) -> Where | None:
    """The secret whose file the variable names. `ca_file` is itself a setting, a path that is no secret."""
    where = _where(variable)
    if not where[-1].endswith("_file") or where[-1] == "ca_file":
        return None
    target = (*where[:-1], where[-1].removesuffix("_file"))
    setting = names.find(target)
    return target if setting is not None and setting.secret else None


def _content(path: Path, where: Where, variable: str) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_SECRET + 1).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(dotted(where), variable, "it must name a file of UTF-8 text that can be read") from None
    if not text or len(text) > LARGEST_SECRET:
        raise Misconfigured(dotted(where), variable, f"the file must hold 1 to {LARGEST_SECRET} bytes")
    return text


def _tree(document: Mapping[str, Any], given: Iterable[Given]) -> dict[str, Any]:
    """Nested again, converted. A table that is there but empty still is an account or a channel."""
    tree: dict[str, Any] = {
        name: {chosen: {} for chosen in document.get(name, {})} for name in ("providers", "channels")
    }
    switched = True
    for one in given:
        if one.where == ("sandbox",):
            switched = converted(one)
            continue
        table = tree
        for name in one.where[:-1]:
            table = table.setdefault(name, {})
        table[one.where[-1]] = converted(one)
    return tree if switched else {**tree, "sandbox": None}


def _placed(settings: Settings, project: Path, origins: Mapping[str, str]) -> Settings:
    """With absolute paths, and with what depends on another setting."""
    data = os.path.abspath(project / settings.data)
    follows = origins["public_url"] == DEFAULT
    return msgspec.structs.replace(
        settings,
        data=data,
        broker=_store(settings.broker, project, data),
        state=_store(settings.state, project, data),
        database=_store(settings.database, project, data),
        public_url=_reached(settings.listen) if follows else settings.public_url.rstrip("/"),
    )


def _store(url: str, project: Path, data: str) -> str:
    """`sqlite:///relative` becomes `sqlite:////absolute`; other services' URLs stay as they are."""
    scheme, slashes, path = url.replace("{data}", data).partition(":///")
    if scheme != "sqlite" or not path or path.startswith(("/", ":memory:")):
        return scheme + slashes + path
    return f"sqlite:///{project / path}"


def _reached(listen: str) -> str:
    """The URL of a listener on this machine. One that takes every address is reached by loopback."""
    host, _, port = listen.rpartition(":")
    everywhere = host == "[::]" or host.strip("0.") == ""
    return f"http://{'127.0.0.1' if everywhere else host}:{port}"
