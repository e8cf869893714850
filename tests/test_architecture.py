"""The rules of the source tree that no linter knows; import directions are import-linter's part.

A rule takes one parsed file and yields what breaks it. Each is shown an offence of its own, so that none is blind.
"""

from __future__ import annotations

import ast
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FUNCTION_LINES = 50
FILE_LINES = 400
BANNED_NAMES = {"task", "job", "manager", "helper", "util", "common", "base"}
#: Alembic takes most of a second to import and is needed once a schema; nothing else may wait inside a function.
LAZY_PACKAGES = {"alembic"}
UNKEPT = {"__pycache__", "data", "dist", "uv.lock"}
GROUPS = {"TaskGroup", "asyncio.TaskGroup"}
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|BEGIN\s+IMMEDIATE|PRAGMA\s+\w"
    r"|(CREATE|ALTER|DROP)\s+(UNIQUE\s+)?(TABLE|INDEX|TRIGGER|VIEW))\b",
    re.DOTALL,
)
# Both are written in pieces, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.])/(" + "|".join(("work", "root", "home", "Users")) + ")/")
REGISTRY_HOST = re.compile(
    r"\b("
    + "|".join(
        ("pypi", "pythonhosted", "npmjs", "yarnpkg", "crates", "rubygems", "proxy.golang", "maven", "deb.debian")
    )
    + r")\.(org|com|io)\b"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NAMED = (*FUNCTIONS, ast.ClassDef)


class Source(NamedTuple):
    """One Python file; `path` is relative to the repository."""

    path: Path
    text: str
    tree: ast.Module


class Offence(NamedTuple):
    """What is wrong, and in which line."""

    line: int
    what: str


Rule = Callable[[Source], Iterator[Offence]]


def parsed(path: str, text: str) -> Source:
    return Source(Path(path), text, ast.parse(text, path))


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that Git keeps, or would keep if it were added; relative paths. Without Git, what is not hidden."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        command = ["git", "-c", "safe.directory=*", *listing]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [Path(name) for name in listed.split("\0") if name]
    else:
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if not UNKEPT & set(path.relative_to(ROOT).parts)]
        found = [path for path in found if not path.parts[0].startswith(".") or path.parts[0] == ".ci"]
    return tuple(path for path in found if (ROOT / path).is_file())


@cache
def sources(*places: str) -> tuple[Source, ...]:
    found = (path for path in tracked() if path.suffix == ".py" and path.parts[0] in places)
    return tuple(parsed(str(path), (ROOT / path).read_text()) for path in found)


def offences(rule: Rule, *places: str) -> list[str]:
    return [f"{file.path}:{line}: {what}" for file in sources(*places) for line, what in rule(file)]


def length(function: Function) -> int:
    """Lines from `def` to the last one, docstring and all."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def functions(file: Source) -> Iterator[Function]:
    return (node for node in ast.walk(file.tree) if isinstance(node, FUNCTIONS))


def dotted(node: ast.AST) -> str:
    """`asyncio.create_task` for the node that says so; calls and subscripts in between are left out."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return dotted(inner)
        case _:
            return ""


def long_functions(file: Source) -> Iterator[Offence]:
    if "migrations" in file.path.parts:
        return  # written by Alembic, a statement a table
    for function in functions(file):
        if length(function) > FUNCTION_LINES:
            yield Offence(function.lineno, f"{function.name} has {length(function)} lines")


def long_files(file: Source) -> Iterator[Offence]:
    lines = file.text.count("\n")
    if lines > FILE_LINES:
        yield Offence(lines, f"the file has {lines} lines")


def banned_names(file: Source) -> Iterator[Offence]:
    """Names that say nothing: of modules and packages, classes and functions, in any case and in the plural."""
    named = [(1, part) for part in (*file.path.parts[1:-1], file.path.stem)]
    named += [(node.lineno, node.name) for node in ast.walk(file.tree) if isinstance(node, NAMED)]
    for line, name in named:
        words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
        if bad := BANNED_NAMES & (words | {word.removesuffix("s") for word in words}):
            yield Offence(line, f"{name} says {', '.join(sorted(bad))}")


def unsupervised_tasks(file: Source) -> Iterator[Offence]:
    """`create_task` whose result nobody keeps and no TaskGroup owns: its error is never seen."""
    groups = task_groups(file)
    for node in ast.walk(file.tree):
        match node:
            case ast.Expr(value=ast.Call() as call) | ast.Assign(targets=[ast.Name(id="_")], value=ast.Call() as call):
                owner, _, method = dotted(call).rpartition(".")
                if method == "ensure_future" or (method == "create_task" and owner not in groups):
                    yield Offence(call.lineno, f"the result of {owner}.{method} is dropped")


def task_groups(file: Source) -> set[str]:
    """The names that are task groups: opened by a `with`, or annotated as arguments."""
    found = set()
    for node in ast.walk(file.tree):
        match node:
            case ast.withitem(context_expr=opened, optional_vars=ast.Name(id=name)) if dotted(opened) in GROUPS:
                found.add(name)
            case ast.arg(arg=name, annotation=ast.expr() as annotation) if dotted(annotation) in GROUPS:
                found.add(name)
    return found


def sleeping(file: Source) -> Iterator[Offence]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and dotted(node) == "time.sleep":
            yield Offence(node.lineno, "time.sleep")
        if isinstance(node, ast.ImportFrom) and node.module == "time" and "sleep" in [it.name for it in node.names]:
            yield Offence(node.lineno, "sleep is imported from time")


def lazy_imports(file: Source) -> Iterator[Offence]:
    """Imports inside functions. The package's own `__init__` may, for its public names."""
    if file.path == Path("src/angarium/__init__.py"):
        return
    for function in functions(file):
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [node.module or ""]
            else:
                continue
            if {name.partition(".")[0] for name in named} - LAZY_PACKAGES:
                yield Offence(node.lineno, f"{function.name} imports {', '.join(named)}")


def thawed_structs(file: Source) -> Iterator[Offence]:
    """A struct says `frozen=True`; what it is frozen for is inherited, so only a direct child of Struct must say it."""
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.ClassDef):
            continue
        said = {word.arg: ast.unparse(word.value) for word in node.keywords}
        direct = any(dotted(parent).rpartition(".")[2] == "Struct" for parent in node.bases)
        if said.get("frozen", "False" if direct else "True") != "True":
            yield Offence(node.lineno, f"{node.name} is not frozen")


def undocumented(file: Source) -> Iterator[Offence]:
    """Public modules, classes, functions and methods without a docstring. A contract's tests say it in their names."""
    if ast.get_docstring(file.tree) is None:
        yield Offence(1, "the module has no docstring")
    yield from _undocumented(file.tree, "")


def _undocumented(parent: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Offence]:
    for node in parent.body:
        if not isinstance(node, NAMED) or node.name.startswith(("_", "test_")):
            continue
        if ast.get_docstring(node) is None and not {dotted(it) for it in node.decorator_list} & {
            "overload",
            "override",
        }:
            yield Offence(node.lineno, f"{prefix}{node.name} has no docstring")
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node, f"{node.name}.")


def stray_sql(file: Source) -> Iterator[Offence]:
    """Statements outside `database` and the files of the SQLite adapters. Docstrings may speak of SQL."""
    if "database" in file.path.parts or file.path.stem.startswith("sqlite"):
        return
    prose = {id(node.value) for node in ast.walk(file.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in prose:
            continue
        if found := SQL.search(node.value):
            yield Offence(node.lineno, f"SQL: {' '.join(found[0].split())[:40]}")


def rebound_globals(file: Source) -> Iterator[Offence]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Global):
            yield Offence(node.lineno, f"global {', '.join(node.names)}")


def foreign_places(text: str) -> Iterator[Offence]:
    """Lines that name a path of one machine or the host of a package registry."""
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
            yield Offence(number, "a machine path or a registry host")


EXAMPLES: dict[Rule, str] = {
    long_functions: "def long():\n" + "    x = 1\n" * FUNCTION_LINES,
    long_files: "x = 1\n" * (FILE_LINES + 1),
    banned_names: "class RetryManagers:\n    pass\n",
    unsupervised_tasks: "async def go():\n    asyncio.create_task(work())\n",
    sleeping: "import time\ntime.sleep(1)\n",
    lazy_imports: "def late():\n    import json\n",
    thawed_structs: "class Loose(msgspec.Struct, kw_only=True):\n    pass\n",
    undocumented: '"""A module."""\nclass Plain:\n    """Said."""\n    def method(self): ...\n',
    stray_sql: 'connection.execute("""SELECT id\n  FROM deliveries""")\n',
    rebound_globals: "def count():\n    global total\n",
}


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.__name__)
def test_each_rule_sees_an_offence_of_its_own_and_no_other_does(rule: Rule) -> None:
    seen = {other.__name__ for other in EXAMPLES if list(other(parsed("src/angarium/example.py", EXAMPLES[rule])))}

    assert seen - {"undocumented"} == {rule.__name__} - {"undocumented"}
    assert (rule is not undocumented) or seen == {"undocumented"}


def test_a_task_group_owns_what_it_starts() -> None:
    opened = "async def go():\n    async with asyncio.TaskGroup() as calls:\n        calls.create_task(work())\n"
    handed = "def go(calls: asyncio.TaskGroup) -> None:\n    calls.create_task(work())\n"

    assert [list(unsupervised_tasks(parsed("src/angarium/example.py", text))) for text in (opened, handed)] == [[], []]


@pytest.mark.parametrize(
    "line", ["see /" + "work/main/x.py", "cd /" + "root/", "https://files.python" + "hosted.org/x"]
)
def test_a_place_of_one_machine_or_registry_is_seen(line: str) -> None:
    assert list(foreign_places(f"first\n{line}\n")) == [(2, "a machine path or a registry host")]


@pytest.mark.parametrize("line", ["https://example.com/home/x", "./work/x", "the network/work/life balance", "PyPI"])
def test_an_address_or_a_relative_path_is_no_such_place(line: str) -> None:
    assert list(foreign_places(line)) == []


def test_no_function_is_longer_than_fifty_lines() -> None:
    assert offences(long_functions, "src", "tests", "benchmarks", "docs") == []


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    assert offences(long_files, "src", "tests", "benchmarks", "docs") == []


def test_no_module_class_or_function_has_a_name_that_says_nothing() -> None:
    assert offences(banned_names, "src") == []


def test_nobody_starts_a_coroutine_and_forgets_it() -> None:
    assert offences(unsupervised_tasks, "src", "tests", "benchmarks") == []


def test_nothing_blocks_a_thread_by_sleeping() -> None:
    assert offences(sleeping, "src") == []


def test_imports_stand_at_the_top_of_their_file() -> None:
    assert offences(lazy_imports, "src") == []


def test_every_struct_is_frozen() -> None:
    assert offences(thawed_structs, "src") == []


def test_every_public_name_is_documented() -> None:
    assert offences(undocumented, "src") == []


def test_sql_is_written_only_in_the_database_and_the_sqlite_adapters() -> None:
    assert offences(stray_sql, "src") == []


def test_no_function_rebinds_a_global() -> None:
    assert offences(rebound_globals, "src") == []


def test_no_file_names_a_path_of_one_machine_or_the_host_of_a_package_registry() -> None:
    found = [
        f"{path}:{line}: {what}"
        for path in tracked()
        if path.suffix not in {".db", ".png", ".ico", ".woff2"}
        for line, what in foreign_places((ROOT / path).read_text())
    ]
    assert found == []


def test_the_medians_are_reported(record_property: Callable[[str, object], None]) -> None:
    """Watched, not judged: functions of about 8 lines and files of about 150 are what we aim at."""
    files = sources("src")
    lengths = [length(function) for file in files for function in functions(file)]

    record_property("median lines of a function", statistics.median(lengths))
    record_property("median lines of a file", statistics.median(file.text.count("\n") for file in files))
    assert len(lengths) > len(files)
