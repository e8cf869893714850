"""Writes the pages of `docs/reference` from the code, so that none can lag behind it.

`python docs/generate.py` writes them; with `--check` it writes nothing, names the stale pages and exits with 1.
What the code cannot say, the meaning of a word, stands in `words.toml`.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from cyclopts import App
from litestar import Litestar
from litestar.openapi import OpenAPIConfig

from angarium import plugins
from angarium.__about__ import __version__
from angarium.api import admin, application
from angarium.api.auth import SCOPES
from angarium.api.calls import DOCUMENT, SIGNED
from angarium.api.ingest import PATH
from angarium.api.schema import completed
from angarium.cli import program
from angarium.config.listing import Setting, listing
from angarium.model.reasons import Outcome, Progress, Reason, Status
from angarium.model.workflow import Step
from angarium.providers import Account
from angarium.telemetry.families import Family, families

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py from the code; `make docs` renews it. -->"
Words = Mapping[str, Any]


def settings(_words: Words) -> list[str]:
    """Every setting with its variable."""
    return [table(("setting", "variable", "kind", "default", "meaning"), map(_setting, listing()))]


def _setting(row: Setting) -> tuple[str, ...]:
    variable = "ANGARIUM_" + row.key.upper().replace(".", "__").replace("*", "NAME")
    meaning = row.description + (" *(secret)*" if row.secret else "")
    return code(row.key), code(variable), row.kind, code(row.default), meaning


def metrics(_words: Words) -> list[str]:
    """Every metric with its labels."""
    return [table(("metric", "kind", "labels", "meaning"), map(_metric, families()))]


def _metric(family: Family) -> tuple[str, ...]:
    return code(family.name), family.kind, " ".join(code(label) for label in family.labels), family.help


def reasons(words: Words) -> list[str]:
    """The closed vocabularies."""
    groups: list[dict[str, str]] = words["reasons"]
    meant = {name: said for group in groups for name, said in group.items() if name != "title"}
    agree("reasons", [member.value for member in Reason], meant)
    parts = []
    for title, kind in (("deliveries", Status), ("notifications and runs", Progress), ("events", Outcome)):
        parts += [f"## Status of {title}", vocabulary(kind, words[kind.__name__.lower()])]
    for group in groups:
        rows = ((code(name), said) for name, said in group.items() if name != "title")
        parts += [f"## Reasons: {group['title'][0].lower()}{group['title'][1:]}", table(("reason", "meaning"), rows)]
    return parts


def vocabulary(kind: type[StrEnum], meant: Mapping[str, str]) -> str:
    """One enum as a table, in its own order."""
    agree(kind.__name__, [member.value for member in kind], meant)
    return table(("status", "meaning"), ((code(word), meant[word]) for word in kind))


def steps(words: Words) -> list[str]:
    """Every step with its fields."""
    kinds = {str(kind.__struct_config__.tag): kind for kind in get_args(Step)}
    agree("steps", kinds, words["steps"])
    agree("fields", {name for kind in kinds.values() for name in kind.__struct_fields__}, words["fields"])
    parts: list[str] = []
    for name, kind in kinds.items():
        said = words["steps"][name]
        rows = ((code(field), words["fields"][field]) for field in kind.__struct_fields__)
        parts += [f"## `{name}`", said["says"], f"```toml\n{said['example']}\n```", table(("field", "meaning"), rows)]
    return parts


def providers(_words: Words) -> list[str]:
    """Every provider with its settings; none is constructed."""
    parts = ["## Settings of every account", flat(getdoc(Account), 1), account_table(Account, {})]
    shared = {field.name: field.default for field in msgspec.structs.fields(Account)}
    for name in plugins.names("providers"):
        module = plugins.load("providers", name)
        provider = module.Provider
        facts = [
            f"Channels: {', '.join(provider.channels)}.",
            f"A repeated call {'has no' if provider.idempotent else 'may have a'} second effect.",
            "It reports by callback." if hasattr(provider, "callback") else "It does not report by callback.",
        ]
        parts += [f"## `{name}`", flat(module.__doc__, 0), " ".join(facts), flat(getdoc(provider.Settings))]
        parts.append(account_table(provider.Settings, shared))
    return [part for part in parts if part]


def commands(words: Words) -> list[str]:
    """Every command with its options; options that are alike for all of them are told once."""
    known = dict(_commands(program.app()))
    agree("commands", known, words["commands"])
    shared = _options(known["audit"])
    parts = ["## Options of every command that talks to a server", table(OPTION, shared)]
    for name, command in known.items():
        rows = [row for row in _options(command) if row not in shared]
        said = f"{flat(getdoc(command.default_command), 0)}\n\n```\n{words['commands'][name]}\n```"
        parts += [f"## `angarium {name}`", said, *([table(OPTION, rows)] if rows else [])]
    return parts


#: The head of a table of options.
OPTION = ("option", "kind", "default", "meaning")
#: What may be given by its place alone.
PLACED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def _commands(app: App) -> Iterator[tuple[str, App]]:
    """Every command by what is typed, in the order of the help."""
    for name, _, _ in program.COMMANDS:
        yield name, app[name]
    for group, _, inner in program.GROUPS:
        for name, _, _ in inner:
            yield f"{group} {name}", app[group][name]


def _options(command: App) -> list[tuple[str, ...]]:
    """The options and arguments of a command; what is not parsed is none."""
    found: list[tuple[str, ...]] = []
    for argument in command.assemble_argument_collection(parse_docstring=True):
        if argument.parse and argument.show:
            default = argument.field_info.default
            value = "required" if argument.required else code(_flag(default))
            place = argument.names[0].strip("-").upper() if argument.field_info.kind in PLACED else ""
            flags = [name for name in argument.names if name.startswith("-")]
            names = " ".join(code(name) for name in (place, *flags) if name)
            kind = shape(argument.hint).replace("true or false", "switch")
            found.append((names, kind, value, flat(argument.parameter.help)))
    return found


def _flag(default: Any) -> str:
    """A default as it would be typed."""
    if isinstance(default, tuple):
        return " ".join(map(str, default))
    if isinstance(default, timedelta):
        return f"{default.total_seconds():g}s"
    return "" if default in (None, False) or default is inspect.Parameter.empty else str(default)


def routes(words: Words) -> list[str]:
    """Every route with what a caller's key needs."""
    handlers = application.routes()
    config = OpenAPIConfig(title="Angarium", version=__version__, use_handler_docstrings=True)
    document = completed(Litestar(handlers, openapi_config=config).openapi_schema.to_schema(), handlers)
    needs = {handler.operation_id: str(handler.opt["needs"]) for handler in handlers}
    agree("scopes", {*SCOPES, SIGNED["needs"]}, words["scopes"])
    agree("admin", admin_paths(), words["admin"])
    rows = [
        _route(f"{method.upper()} {path}", said, _needs(needs, path, method, said))
        for path, operations in sorted(document["paths"].items())
        for method, said in operations.items()
    ]
    rows.append((code(f"GET {DOCUMENT}"), "nothing", "", "The whole of it as OpenAPI 3.1, with every field."))
    return [
        "## What a key needs",
        table(("scope", "what it may"), ((code(name), said) for name, said in words["scopes"].items())),
        "## The public listener",
        table(("route", "needs", "parameters", "what it does"), rows),
        "## The admin listener",
        table(("route", "what it does"), ((code(f"GET {path}"), said) for path, said in words["admin"].items())),
    ]


def _needs(needs: Mapping[Any, str], path: str, method: str, said: Mapping[str, Any]) -> str:
    if path == PATH:
        return code("publish") if method == "post" else "nothing"
    return code(needs[said["operationId"]])


def _route(name: str, said: Mapping[str, Any], needs: str) -> tuple[str, ...]:
    places = {"query": "?{}", "header": "{}"}
    parameters = [places[p["in"]].format(p["name"]) for p in said.get("parameters", ()) if p["in"] in places]
    meaning = f"{said['summary']}. {flat(said.get('description'))}".strip()
    return code(name), needs, " ".join(map(code, parameters)), meaning


def admin_paths() -> list[str]:
    """The paths that the admin listener knows; they stand nowhere but in its code."""
    return sorted(set(re.findall(r'"(/[a-z]+)"', inspect.getsource(admin))))


def account_table(kind: type[msgspec.Struct], known: Mapping[str, Any]) -> str:
    """The settings of one kind of account, without those that are as `known`; nothing when none is left."""
    rows = [
        (code(field.name), shape(field.type), "required" if field.required else code(written(field.default)))
        for field in msgspec.structs.fields(kind)
        if field.name not in known or known[field.name] != field.default
    ]
    return table(("setting", "kind", "default"), rows) if rows else ""


#: Types in words; everything else is a table.
KINDS: Mapping[Any, str] = {
    str: "text",
    float: "number",
    int: "whole number",
    bool: "true or false",
    Path: "path",
    timedelta: "duration",
}


def shape(annotation: Any) -> str:
    """A type in words."""
    if get_origin(annotation) is Annotated:
        plain, *metas = get_args(annotation)
        secret = any((getattr(meta, "extra", None) or {}).get("secret") for meta in metas)
        return shape(plain) + (", secret" if secret else "")
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(code(str(word)) for word in get_args(annotation))
    if get_origin(annotation) is tuple:
        return shape(get_args(annotation)[0]) + ", repeatable"
    if get_args(annotation):
        return " or ".join(shape(member) for member in get_args(annotation) if member is not type(None))
    return KINDS.get(annotation, "table")


def written(value: Any) -> str:
    """A default as it would stand in TOML; nothing when there is none."""
    return "" if value in (None, "", ()) else msgspec.json.encode(value).decode()


def agree(what: str, known: Collection[str], meant: Collection[str]) -> None:
    """Refuse words that are only in the code or only in `words.toml`."""
    if lacking := set(known) - set(meant):
        sys.exit(f"docs/words.toml: {what}: give a meaning to {', '.join(sorted(lacking))}")
    if idle := set(meant) - set(known):
        sys.exit(f"docs/words.toml: {what}: the code does not know {', '.join(sorted(idle))}")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """Set as code; nothing stays nothing."""
    return f"`{text}`" if text else ""


def flat(text: str | None, number: int | None = None) -> str:
    """A docstring, or one paragraph of it, on one line."""
    paragraphs = [" ".join(part.split()) for part in (text or "").strip().split("\n\n")]
    return " ".join(paragraphs) if number is None else paragraphs[number]


PAGES: Mapping[str, Callable[[Words], list[str]]] = {
    "settings": settings,
    "metrics": metrics,
    "reasons": reasons,
    "steps": steps,
    "providers": providers,
    "commands": commands,
    "routes": routes,
}


def pages() -> dict[Path, str]:
    """Every page as it should stand."""
    words = tomllib.loads((DOCS / "words.toml").read_text())
    return {DOCS / "reference" / f"{name}.md": _page(name, words) for name in PAGES}


def _page(name: str, words: Words) -> str:
    return "\n\n".join([NOTE, f"# {name.title()}", words["pages"][name], *PAGES[name](words)]) + "\n"


def stale() -> list[Path]:
    """The pages that do not stand as they should."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text() != text]


def main() -> None:
    """Write the stale pages, or only name them."""
    found = stale()
    if "--check" in sys.argv[1:]:
        sys.exit("\n".join(f"{path.name} is stale: make docs" for path in found) or 0)
    for path, text in pages().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
