"""Finding an adapter by its file name: `kafka` of `brokers` is `angarium/brokers/kafka.py`.

Nothing is imported that was not asked for. Adapters of others are found by the entry point group
`angarium.<package>`, and only under names that the configuration allows: installing a package runs none of its code.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from angarium.errors import Invalid, Misconfigured

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def names(package: str) -> tuple[str, ...]:
    """The file names in `angarium.<package>`, sorted, none of them imported. A leading underscore hides a file."""
    spec = find_spec(f"angarium.{package}") if _NAME.fullmatch(package) else None
    if spec is None or spec.submodule_search_locations is None:
        raise Invalid("package", "is no package of adapters", "name one of ours, `providers` say")
    return tuple(sorted(found.name for found in iter_modules(spec.submodule_search_locations) if _named(found.name)))


def load(package: str, name: str, allow: Collection[str] = ()) -> ModuleType:
    """The module of one adapter. Names in `allow` may come from others' entry points; a file of ours goes before them.

    Raises `Invalid` for a name that is not there, `Misconfigured` when the adapter needs a package that is missing.
    """
    own = names(package)
    if name in own:
        return _imported(package, name)
    if name in allow and _named(name):
        for entry in entry_points(group=f"angarium.{package}", name=name):
            return _module(entry)
    raise Invalid(f"angarium.{package}", "there is no adapter of this name", _mend(name, [*own, *sorted(allow)]))


def _named(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _imported(package: str, name: str) -> ModuleType:
    """Import it; a package of others that is missing is a matter of installation, a module of ours is a defect."""
    try:
        return import_module(f"angarium.{package}.{name}")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "angarium":
            raise
        mend = f"it needs the package {missing.name}, which is not installed: install angarium[{name}]"
        raise Misconfigured(f"{package}: {name}", "the configuration", mend) from missing


def _module(entry: EntryPoint) -> ModuleType:
    """An entry point names a module; what is in it, its loader expects by the port."""
    found = entry.load()
    if not isinstance(found, ModuleType):
        raise Misconfigured(entry.name, f"the entry point group {entry.group}", "it must name a module")
    return found


def _mend(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"the nearest is `{near[0]}`; there are: {', '.join(known)}" if near else "none is installed"
