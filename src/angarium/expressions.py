"""Expressions over plain data: `to`, `when` and the values of a webhook body.

The language is minijinja's, without methods and with fuel, so no expression runs long or touches anything but the data
it is given. A name that is undefined is an error everywhere. What was computed is never read as a template again.
Errors name the place and the name that is missing, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from minijinja import Environment, TemplateError

from angarium.errors import Invalid, nearest

#: What a workflow may ask about; `steps` holds what the steps so far came to.
ROOTS = ("data", "event", "user", "steps")
#: One unit is about one instruction or 64 characters written: a bomb ends within milliseconds.
FUEL = 50_000
#: Writing a value as JSON takes a unit for about four characters; this is enough for the largest event there may be.
VALUE_FUEL = 250_000
#: The longest text that rendering may give, in characters.
MAX_TEXT = 1 << 20

_GLOBALS = frozenset({"range", "dict", "namespace", "cycler", "joiner"})
# Control characters as delimiters: no expression can end itself and begin another.
_DELIMITERS = {
    "variable_start_string": "\x02", "variable_end_string": "\x03",
    "block_start_string": "\x04", "block_end_string": "\x05",
    "comment_start_string": "\x06", "comment_end_string": "\x07",
}  # fmt: skip
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_LONE = re.compile(r"\s*\{\{-?((?:(?!\{\{|\}\}|\{%|%\}|\{#).)*?)-?\}\}\s*", re.DOTALL)
_CODE = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)
_STRING = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_CALL = re.compile(r"([\w\])]*)\s*\.\s*([A-Za-z_]\w*)\s*\(")
_FILTER = re.compile(r"\|\s*([A-Za-z_]\w*)")
_TEST = re.compile(r"\bis\s+(?:not\s+)?([A-Za-z_]\w*)")
_REPEATED = re.compile(r"(?<![\w\])])\s*\[[^\[\]]*\]\s*\*|\*\s*\[")
# How a method of Python's dict shows when the key of that name is not there.
_METHOD = "\\u003cbuilt-in method "


class Undefined(Exception):
    """Raised out of a template where a method stands for a key that is not there."""


#: What rendering can raise; the filters and tests of the language are the only code it runs.
FAILURES = (TemplateError, Undefined, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def environment(fuel: int = FUEL, **options: Any) -> Environment:
    """A strict minijinja environment with fuel and without the function that prints variables."""
    made = Environment(debug=False, fuel=fuel, undefined_behavior="strict", pycompat=False, **options)
    made.remove_global("debug")
    return made


def shown(value: Any) -> Any:
    """What is printed for a value: null prints nothing."""
    if callable(value):
        raise Undefined
    return "" if value is None else value


class Expressions:
    """Evaluates; keeps what it compiled, at most `capacity` sources. One serves a whole release."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._values = environment(VALUE_FUEL, auto_escape_callback=lambda name: False, **_DELIMITERS)
        self._values.add_test("plain", lambda value: not callable(value))
        self._texts = environment(auto_escape_callback=lambda name: False, finalizer=shown)
        self._compiled: dict[str, str | None] = {}

    def evaluate(self, source: str, context: Mapping[str, Any]) -> Any:
        """The value of an expression as plain JSON data. Raises `Invalid` for an undefined name or a failure.

        A path gives the very object of the context: change neither.
        """
        try:
            if _PATH.fullmatch(source) and source.partition(".")[0] in context:
                return _walk(source, context)
            self._compile(source, source)
            text = self._values.render_template(source, **context)
            if (text == "null" or _METHOD in text) and self._is_undefined(source, context):
                raise Undefined
        except FAILURES as error:
            problem = explain(error, source, context, self._paths(source))
            raise Invalid(f"{{{{ {source} }}}}", problem, mend(error)) from None
        return msgspec.json.decode(text)

    def resolve(self, tree: Any, context: Mapping[str, Any]) -> Any:
        """A tree with its strings worked out: `"{{ x }}"` alone is a value, `{{ x }}` within text is text.

        Everything else is literal. Raises `Invalid`.
        """
        match tree:
            case str():
                return self._string(tree, context) if "{" in tree else tree
            case Mapping():
                return {key: self.resolve(value, context) for key, value in tree.items()}
            case list() | tuple():
                return [self.resolve(value, context) for value in tree]
            case _:
                return tree

    def check(self, source: str, where: str, roots: Collection[str] = ROOTS) -> None:
        """Raise `Invalid` for what can be known without data: syntax, unknown names, filters and tests."""
        if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in source) or not source.strip():
            raise Invalid(where, "is no expression", "write one, such as data.total > 100")
        inspect(self._values, f"\x02 {source} \x03", where, roots, [source], shift=2)

    def check_tree(self, tree: Any, where: str, roots: Collection[str] = ROOTS) -> None:
        """Raise `Invalid` for the first string of the tree that `resolve` could never work out."""
        match tree:
            case str() if "{" in tree:
                inner = lone(tree)
                if inner is not None:
                    self.check(inner, where, roots)
                else:
                    inspect(self._texts, tree, where, roots, code(tree))
            case Mapping():
                for key, value in tree.items():
                    self.check_tree(value, f"{where}.{key}", roots)
            case list() | tuple():
                for index, value in enumerate(tree):
                    self.check_tree(value, f"{where}[{index}]", roots)

    def _string(self, text: str, context: Mapping[str, Any]) -> Any:
        if text not in self._compiled:
            self._compile(text, lone(text))
        inner = self._compiled[text]
        return self._render(text, context) if inner is None else self.evaluate(inner, context)

    def _render(self, text: str, context: Mapping[str, Any]) -> str:
        try:
            found = self._texts.render_template(text, **context)
        except FAILURES as error:
            paths = self._texts.undeclared_variables_in_str(text, nested=True)
            raise Invalid(text, explain(error, text, context, paths), mend(error)) from None
        if len(found) > MAX_TEXT:
            raise Invalid(text, "gives too long a text", f"keep it below {MAX_TEXT} characters")
        return found

    def _compile(self, key: str, inner: str | None) -> None:
        """`inner` is the expression that `key` stands for, None when `key` is text with expressions in it."""
        if key in self._compiled:
            return
        if len(self._compiled) >= self._capacity:
            self._compiled.clear()
            self._values.clear_templates()
            self._texts.clear_templates()
        try:
            if inner is None:
                self._texts.add_template(key, key)
            else:
                self._values.add_template(inner, f"\x02({inner})|tojson\x03")
        except TemplateError as error:
            raise Invalid(key, error.detail or "cannot be read", "mend the expression") from None
        self._compiled[key] = inner

    def _is_undefined(self, source: str, context: Mapping[str, Any]) -> bool:
        asked = f"\x02({source}) is defined and ({source}) is plain\x03"
        return self._values.render_str(asked, **context).lower() != "true"

    def _paths(self, source: str) -> set[str]:
        return self._values.undeclared_variables_in_str(f"\x02({source})\x03", nested=True)


def lone(text: str) -> str | None:
    """The expression of a text that is one `{{ ... }}` and nothing else."""
    found = _LONE.fullmatch(text)
    return found[1].strip() if found else None


def code(text: str) -> list[str]:
    """What stands between the delimiters of a template."""
    return [found[1] or found[2] or "" for found in _CODE.finditer(text)]


def inspect(
    language: Environment, template: str, where: str, roots: Collection[str], pieces: list[str], shift: int = 0
) -> None:
    """Raise `Invalid` for a template that could never render. `shift` is how far our own delimiters move a column."""
    try:
        names = language.undeclared_variables_in_str(template)
    except TemplateError as error:
        place = position(error, template, shift)
        raise Invalid(f"{where}{place}", error.detail or "cannot be read", "mend the expression") from None
    for name in sorted(names - _GLOBALS - set(roots)):
        raise Invalid(where, f"there is no {name} here", nearest(name, roots))
    for piece in pieces:
        for problem, remedy in _faults(language, _STRING.sub("''", piece)):
            raise Invalid(where, problem, remedy)


def position(error: TemplateError, source: str, shift: int = 0) -> str:
    """` (line 2, column 7)`, counted from 1, or nothing when the engine does not say."""
    if error.range is None:
        return ""
    before = source.encode()[: error.range[0]].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return f" (line {line}, column {max(1, column - (shift if line == 1 else 0))})"


def _faults(language: Environment, piece: str) -> Iterator[tuple[str, str]]:
    """What the engine would only say while rendering. Strings are blanked in `piece`."""
    for owner, name in _CALL.findall(piece):
        if owner not in {"loop", "self"}:
            yield f"calls the method {name}", "methods are not supported: use a filter, as in data.name|upper"
    if _REPEATED.search(piece):
        yield "repeats a list", "use range and a loop"
    for name in _FILTER.findall(piece):
        if _kind(language, f"none|{name}") == "UnknownFilter":
            yield f"there is no filter {name}", "look at the list of filters in the documentation"
    for name in _TEST.findall(piece):
        if _kind(language, f"none is {name}") == "UnknownTest":
            yield f"there is no test {name}", "look at the list of tests in the documentation"


def _kind(language: Environment, expression: str) -> str:
    try:
        language.eval_expr(expression)
    except TemplateError as error:
        return error.kind
    except FAILURES:
        pass
    return ""


def explain(error: Exception, source: str, context: Mapping[str, Any], paths: Collection[str]) -> str:
    """A sentence about a failed rendering that names what the author wrote, never a value."""
    kind = error.kind if isinstance(error, TemplateError) else ""
    if isinstance(error, Undefined) or kind == "UndefinedError":
        return f"{_missing(source, context, paths)} is undefined"
    if isinstance(error, TemplateError) and kind in {"UnknownFilter", "UnknownTest", "UnknownMethod", "SyntaxError"}:
        return error.detail or "names a filter or a test that is not there"
    if kind == "OutOfFuel":
        return "takes too long or gives too much text"
    if kind == "TemplateNotFound":
        return "includes a template that is not there"
    return "an operation does not fit the values it was given"


def mend(error: Exception) -> str:
    """What to do about it."""
    if isinstance(error, Undefined) or (isinstance(error, TemplateError) and error.kind == "UndefinedError"):
        return "send it in the event, or give a default as in data.name|default('')"
    return "look at the values of the event, and at the types they have"


def _missing(source: str, context: Mapping[str, Any], paths: Collection[str]) -> str:
    """The first path that leads nowhere; one that the author guards by a default or a test is the last guess."""
    absent = [path for path in paths if path.partition(".")[0] not in _GLOBALS and not _leads(path, context)]
    guarded = r"\s*(\|\s*(default|d)\b|is\s+(not\s+)?(un)?defined)"
    absent.sort(key=lambda path: (bool(re.search(re.escape(path) + guarded, source)), source.find(path), path))
    return absent[0] if absent else "a name"


def _leads(path: str, context: Mapping[str, Any]) -> bool:
    try:
        _walk(path, context)
    except Undefined:
        return False
    return True


def _walk(path: str, context: Mapping[str, Any]) -> Any:
    """What a dotted path leads to. Raises `Undefined`."""
    found: Any = context
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise Undefined
        found = found[part]
    return found
