"""HTML templates: where data may stand, links that begin with data, and the plain text of a page.

A template is no HTML yet, so its expressions are put aside as single private characters while it is parsed.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from angarium.errors import Invalid

#: Attributes whose value is an address.
LINKS = frozenset({"href", "src", "action", "formaction", "background", "cite", "poster", "longdesc", "xlink:href"})
_TOKEN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
# U+E000 n U+E001 stands for a value, U+E002 n U+E003 for a statement.
_VALUE, _ANY = re.compile("\ue000(\\d+)\ue001"), re.compile("[\ue000\ue002](\\d+)[\ue001\ue003]")
_LEADING = re.compile("(?:\\s|[\ue000\ue002]\\d+[\ue001\ue003])*")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# Words that change what a template gives beyond its own source; such a page is turned into text message by message.
_INVOLVED = re.compile(
    r"\b(include|extends|import|macro|call|block|filter|autoescape|raw|safe|escape|tojson)\b|\|\s*e\b"
)
_SILENT = frozenset({"script", "style", "head", "title", "template"})
_BREAKS = frozenset(
    (
        "p",
        "div",
        "table",
        "tr",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "section",
        "header",
        "footer",
    )
)


def guarded(source: str, where: str) -> str:
    """The template with every link that begins with data going through the filter `url`.

    Raises `Invalid` where data stands that escaping cannot make safe: in a script or a style, in the name of a tag or
    an attribute, in an attribute without quotes or one that is code.
    """
    masked, tokens = _mask(source)
    if re.search("</?\ue000", masked):
        raise Invalid(where, "puts data where the name of a tag stands", "write the name itself")
    reader = _Guard(where)
    reader.feed(masked)
    reader.close()
    for index in reader.links:
        inner = re.fullmatch(r"\{\{(-?)(.*?)(-?)\}\}", tokens[index], re.DOTALL)
        if inner:
            tokens[index] = f"{{{{{inner[1]} ({inner[2].strip()})|url {inner[3]}}}}}"
    return _unmask(masked, tokens)


def derived(source: str) -> str | None:
    """A text template that says what an HTML template says; None when only the rendered page can tell."""
    masked, tokens = _mask(source)
    text = plain(masked)
    if any(_INVOLVED.search(token) for token in tokens) or _TOKEN.search(text) or re.search("[{}][{}%#]", text):
        return None
    return _unmask(text, tokens)


def plain(page: str) -> str:
    """The text of a page: blocks on lines of their own, links with their address in brackets."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    text = re.sub(r"[ \t\r\f]*\n[ \t\r\f]*", "\n", "".join(reader.parts))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _mask(source: str) -> tuple[str, list[str]]:
    tokens: list[str] = []

    def aside(found: re.Match[str]) -> str:
        tokens.append(found[0])
        left, right = ("\ue000", "\ue001") if found[0].startswith("{{") else ("\ue002", "\ue003")
        return f"{left}{len(tokens) - 1}{right}"

    return _TOKEN.sub(aside, re.sub("[\ue000-\ue003]", "", source)), tokens


def _unmask(masked: str, tokens: list[str]) -> str:
    return _ANY.sub(lambda found: tokens[int(found[1])], masked)


class _Guard(HTMLParser):
    """Finds the links, refuses the places."""

    def __init__(self, where: str) -> None:
        super().__init__(convert_charrefs=False)
        self.where = where
        self.links: set[int] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        if "\ue000" in _QUOTED.sub("", raw):
            raise self._refused("in a tag outside of quotes", 'write it as <a href="{{ data.url }}">')
        for name, value in attrs:
            if value and "\ue000" in value:
                self._attribute(name, value)

    def handle_data(self, data: str) -> None:
        if "\ue000" in data and self.cdata_elem in {"script", "style"}:
            raise self._refused(f"inside <{self.cdata_elem}>", "take it out")

    def _attribute(self, name: str, value: str) -> None:
        if name.startswith("on") or name in {"style", "srcdoc", "srcset"}:
            raise self._refused(f"in the attribute {name}", "take it out")
        if name in LINKS:
            leading = _LEADING.match(value)
            self.links.update(int(index) for index in _VALUE.findall(leading[0] if leading else ""))

    def _refused(self, place: str, mend: str) -> Invalid:
        line = self.getpos()[0]
        return Invalid(f"{self.where} (line {line})", f"puts data {place}", mend)


class _Reader(HTMLParser):
    """Collects what a person would read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in _BREAKS:
            self.parts.append("\n" if tag in {"tr", "div"} else "\n\n")
        elif tag == "a":
            self._link = (dict(attrs).get("href") or "").strip()
        elif tag == "img" and (words := dict(attrs).get("alt")):
            self.parts.append(words)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BREAKS:
            self.parts.append("\n")
        elif tag in {"td", "th"}:
            self.parts.append(" ")
        elif tag == "a" and self._link:
            if self._link not in self.parts[-1:] and not self._link.startswith("#"):
                self.parts.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))
