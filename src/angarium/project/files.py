"""The files of a project that decide what is sent; how a machine is configured is none of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from angarium.errors import Invalid

#: One file, in bytes. A template of a megabyte is a mistake.
LARGEST = 1 << 20
#: Folders taken whole; of `workflows` only the files right in it count.
FOLDERS = ("templates", "locales")
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|(end of document))\)")


def read(directory: Path) -> dict[str, bytes]:
    """The bytes of a project's files by their path in it, `/` between the parts.

    These are `categories.toml`, `workflows/*.toml` and all below `templates/` and `locales/`, hidden files left out.
    Raises `Invalid` for a folder that is no project and for a file that is too large or leads out of it.
    """
    if not (directory / "workflows").is_dir():
        raise Invalid("workflows/", "is not there", "start in a project's folder, or make one")
    root = directory.resolve()
    return {path.relative_to(directory).as_posix(): _bytes(path, root) for path in sorted(_paths(directory))}


def text(files: Mapping[str, bytes], path: str) -> str:
    """A file as text. Raises `Invalid` when it is not UTF-8."""
    try:
        return files[path].decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Invalid(path, f"is not UTF-8, at byte {error.start}", "save it as UTF-8") from None


def table(files: Mapping[str, bytes], path: str) -> dict[str, Any]:
    """A TOML file as a table. Raises `Invalid` with the line and the column."""
    try:
        return tomllib.loads(text(files, path).replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _POSITION.search(message)
        place = f": line {found[1]}, column {found[2]}" if found and found[1] else ": end of the file"
        problem = _POSITION.sub("", message)
        raise Invalid(f"{path}{place}", problem[:1].lower() + problem[1:], "see toml.io for the syntax") from None


def _paths(directory: Path) -> Iterator[Path]:
    yield from (path for path in [directory / "categories.toml"] if path.is_file())
    for path in (directory / "workflows").iterdir():
        if path.suffix == ".py" and not path.name.startswith((".", "_")):
            where = f"workflows/{path.name}"
            raise Invalid(where, "workflows in Python are not supported yet", "write it as TOML")
        if path.suffix == ".toml" and not path.name.startswith("."):
            yield path
    for folder in FOLDERS:
        found = (directory / folder).rglob("*")
        yield from (path for path in found if path.is_file() and not _hidden(path.relative_to(directory)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part.endswith("~") for part in path.parts)


def _bytes(path: Path, root: Path) -> bytes:
    where = f"{path.parent.name}/{path.name}"
    if not path.resolve().is_relative_to(root):
        raise Invalid(where, "leads out of the project", "copy the file into the project")
    if path.stat().st_size > LARGEST:
        raise Invalid(where, f"is larger than {LARGEST} bytes", "split it")
    return path.read_bytes()
