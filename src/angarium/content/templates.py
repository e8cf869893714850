"""Templates: minijinja with fuel, strict about undefined names, escaping in HTML parts only.

Each is compiled when the project is loaded. A message's data is only ever looked up, never read as a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from minijinja import TemplateError

from angarium.content import html as markup
from angarium.errors import AngariumError, Invalid, nearest
from angarium.expressions import FAILURES, MAX_TEXT, Undefined, code, environment, explain, inspect, shown
from angarium.model.reasons import Reason

FOLDER = "templates/"
#: What templates see: the event's data and attributes, the recipient, the id of the delivery.
ROOTS = ("data", "event", "user", "delivery_id")
# The engine knows a template by one name, and from it whether to escape; a file may be both kinds.
_HTML, _TEXT = "html of ", "text of "
_SUFFIXES = (".html", ".htm")
# The statements that name another file, by a name in quotes or computed.
_NAMED = re.compile(r"[-+]?\s*(?:include|import|extends|from)\b\s*(?:\"([^\"]+)\"|'([^']+)'|)")
_WEB, _BLANK = re.compile(r"https?://[^\x00-\x20\x7f-\x9f]*"), re.compile(r"[\x00-\x20\x7f-\x9f]")
_PLACE = re.compile(r"\(in (.+):(\d+)\)")
# How null and a method that stands for a missing key are printed, in text and escaped.
_SUSPECT = re.compile(r"None|(?:<|&lt;)built-in method ")


class Unrenderable(AngariumError):
    """A message that cannot be made. `where` names the file and line, `problem` never a value."""

    def __init__(self, reason: Reason, where: str, problem: str) -> None:
        self.reason, self.where, self.problem = reason, where, problem
        super().__init__(f"{where}: {problem}")


class Templates:
    """The templates of one release: those in files, and those that stand in workflows."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {path[len(FOLDER) :]: data for path, data in files.items() if path.startswith(FOLDER)}
        self._numbers = count(1)
        options: dict[str, Any] = {"loader": self._load, "auto_escape_callback": _escapes, "filters": {"url": url}}
        self._fast = environment(**options)
        self._careful = environment(finalizer=shown, **options)

    def compile(self, value: Any, where: str, *, html: bool = False) -> Template:
        """A template from a text, or from the file that `@name` names. Raises `Invalid` for what cannot render."""
        if not isinstance(value, str):
            raise Invalid(where, "is not a text", 'write it in quotes, or name a file as in "@welcome.html"')
        source, place = (self.source(value[1:], where), FOLDER + value[1:]) if value[:1] == "@" else (value, where)
        return self.compile_source(source, place, html=html)

    def compile_source(self, source: str, where: str, *, html: bool = False) -> Template:
        """A template from its source. Raises `Invalid`."""
        self._check(source, where, html=html)
        name = f"{_HTML if html else _TEXT}{where} ({next(self._numbers)})"
        prepared = markup.guarded(source, where) if html else source
        self._fast.add_template(name, prepared)
        self._careful.add_template(name, prepared)
        return Template(self, name, where, prepared)

    def source(self, name: str, where: str) -> str:
        """The text of a file in `templates/`. Raises `Invalid` when it is missing or not UTF-8."""
        if name not in self._files:
            raise Invalid(where, f"names the file {FOLDER}{name}, which is not there", nearest(name, self._files))
        try:
            return self._files[name].decode().replace("\r\n", "\n").removesuffix("\n")
        except UnicodeDecodeError as error:
            raise Invalid(FOLDER + name, f"is not UTF-8, at byte {error.start}", "save it as UTF-8") from None

    def render(self, template: Template, context: Mapping[str, Any]) -> str:
        """The text for one message. Raises `Unrenderable`."""
        try:
            text: str = self._fast.render_template(template.name, **context)
            if _SUSPECT.search(text):
                # Perhaps only a word of the message: asking for every printed value costs more, so do it now only.
                text = self._careful.render_template(template.name, **context)
        except FAILURES as error:
            raise self._failure(error, template, context) from None
        if len(text) > MAX_TEXT:
            raise Unrenderable(Reason.too_large, template.where, f"gives more than {MAX_TEXT} characters")
        return text

    def _check(self, source: str, where: str, *, html: bool, above: tuple[str, ...] = ()) -> None:
        """The template and all it includes."""
        pieces = code(source)
        inspect(self._fast, source, where, ROOTS, pieces)
        for piece in pieces:
            found = _NAMED.match(piece)
            name = found and (found[1] or found[2])
            if found and not name:
                raise Invalid(where, "includes a file by a computed name", "write the name in quotes")
            if name and name not in above:
                _check_kind(name, where, html=html)
                self._check(self.source(name, where), FOLDER + name, html=html, above=(*above, name))

    def _load(self, name: str) -> str | None:
        if name not in self._files:
            return None
        source = self.source(name, FOLDER + name)
        return markup.guarded(source, FOLDER + name) if _escapes(name) else source

    def _failure(self, error: Exception, template: Template, context: Mapping[str, Any]) -> Unrenderable:
        name, line, source = template.name, None, template.source
        if isinstance(error, TemplateError):
            places = _PLACE.findall(str(error))
            name, line = places[-1] if places else (name, error.line)
            source = template.source if name == template.name else self._load(name) or ""
            if "caused by: undefined value" in str(error):
                error = Undefined()
        where = template.where if name == template.name else FOLDER + name
        paths = self._fast.undeclared_variables_in_str(source, nested=True)
        place = f"{where}, line {line}" if line else where
        return Unrenderable(Reason.template_error, place, explain(error, source, context, paths))


class Template:
    """One compiled template. `where` is its file or its place in a workflow, `source` what was compiled."""

    __slots__ = ("_templates", "name", "source", "where")

    def __init__(self, templates: Templates, name: str, where: str, source: str) -> None:
        self._templates, self.name, self.where, self.source = templates, name, where, source

    def render(self, context: Mapping[str, Any]) -> str:
        """The text for one message. Raises `Unrenderable`."""
        return self._templates.render(self, context)


def url(value: Any) -> str:
    """The filter for links: an address that runs code, or hides in another scheme, becomes `#`."""
    if value is None or callable(value):
        raise Undefined
    text = str(value)
    if _WEB.fullmatch(text):
        return text
    text = _BLANK.sub("", text)
    scheme, colon, _ = re.split(r"[/?#\\]", text, maxsplit=1)[0].partition(":")
    return "#" if colon and scheme.lower() not in {"http", "https", "mailto", "tel"} else text


def _escapes(name: str) -> bool:
    return name.startswith(_HTML) or (name.endswith(_SUFFIXES) and not name.startswith(_TEXT))


def _check_kind(name: str, where: str, *, html: bool) -> None:
    """What is escaped is known by the file's name, so HTML includes HTML and text includes text."""
    if html != name.endswith(_SUFFIXES):
        kind, mend = ("HTML", "name it with the ending .html") if html else ("text", "use a file that is no .html")
        raise Invalid(where, f"is {kind} and includes {FOLDER}{name}, which is not", mend)
