"""A project directory becomes a release; every mistake names its place, the problem and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium import project
from angarium.errors import Invalid
from angarium.model.category import Category
from angarium.model.reasons import Priority, Status
from angarium.model.workflow import Delay, FirstOf, Plan, Send, Stop
from angarium.project import durations

GOOD = """
on = ["order.shipped", "order.sent.*"]
to = "{{ data.customer }}"
category = "orders"
expires = "2h"
until = "read"
sensitive = ["data.code"]
steps = [
  { send = "inbox", name = "first" },
  { first_of = ["email", "sms"], within = "10m", until = "delivered", when = "{{ steps.first.status != 'read' }}" },
  { delay = "1h30m" },
  { send = ["email", "webhook"], to = "{{ user.data.manager }}", content = "manager", collapse_key = "{{ data.id }}" },
  { stop = "told", when = "data.total > 100" },
]
sms.text = "Order {{ data.id }} is on its way"
inbox = { title = "Order {{ data.id }}" }
email = { subject = "Order {{ data.id }}", html = "@order.html" }
[content.manager.email]
subject = "For {{ user.id }}"
text = "Order {{ data.id }}"
"""
CATEGORIES = """
[orders]
priority = "critical"
expires = "1d"
retries = ["2s", "1m30s"]
on_unknown = "park"
reconcile = "0s"
required = true
channels = ["email", "sms", "inbox"]
[default]
priority = "bulk"
"""
PAGE = b"<p>Order {{ data.id }}</p>\n"


def files(workflow: str = GOOD, **others: str) -> dict[str, bytes]:
    found = {
        "workflows/x.toml": workflow.encode(),
        "categories.toml": CATEGORIES.encode(),
        "templates/order.html": PAGE,
    }
    return found | {path.replace("__", "/").replace("_toml", ".toml"): text.encode() for path, text in others.items()}


def short(steps: str = '[{ send = "sms" }]', top: str = "", sms: str = 'sms.text = "hi"') -> str:
    return f'on = "a.b"\nsteps = {steps}\n{top}\n{sms}\n'


def mistake(found: dict[str, bytes]) -> str:
    with pytest.raises(Invalid) as caught:
        project.load(found)
    return str(caught.value)


def test_a_workflow_is_read_as_it_is_written() -> None:
    found = project.load(files()).workflows["x"]
    assert found.on == ("order.shipped", "order.sent.*")
    assert (found.to, found.category, found.expires, found.until) == (
        "{{ data.customer }}",
        "orders",
        7200,
        Status.read,
    )
    assert found.sensitive == ("data.code",)
    assert found.steps == (
        Send(channels=("inbox",), name="first"),
        FirstOf(
            channels=("email", "sms"), within=600, until=Status.delivered, when="steps.first.status != 'read'"
        ),
        Delay(seconds=5400),
        Send(
            channels=("email", "webhook"), to="{{ user.data.manager }}", content="manager", collapse_key="{{ data.id }}"
        ),
        Stop(reason="told", when="data.total > 100"),
    )  # fmt: skip
    assert set(found.content) == {"", "manager"}
    assert set(found.content[""]) == {"sms", "inbox", "email"}


def test_categories_are_read_and_default_is_always_there() -> None:
    found = project.load(files()).categories
    assert found["orders"] == Category(
        name="orders", priority=Priority.critical, expires=86400, retries=(2, 90), on_unknown="park", reconcile=0,
        required=True, channels=("email", "sms", "inbox"),
    )  # fmt: skip
    assert found["default"] == Category(priority=Priority.bulk)
    assert project.load({}).categories == {"default": Category()}


def test_a_plan_pins_the_category_and_the_workflows_own_expiry() -> None:
    release = project.load(files())
    plan = release.plan(release.workflows["x"])
    assert isinstance(plan, Plan)
    assert (plan.category.name, plan.category.expires, plan.until) == ("orders", 7200, Status.read)
    assert plan.steps == release.workflows["x"].steps
    brief = project.load(files(short()))
    assert brief.plan(brief.workflows["x"]).category == brief.categories["default"]


def test_the_matcher_knows_the_workflows_and_their_lanes() -> None:
    release = project.load(files())
    assert [one.name for one in release.matcher.matching("order.sent.late")] == ["x"]
    assert release.matcher.priority("order.shipped") is Priority.critical


def test_the_same_bytes_are_the_same_release_in_any_order() -> None:
    release = project.load(files())
    again = project.load(dict(reversed(files().items())))
    assert release.id == again.id
    assert release.id.startswith("rel_")
    assert len(release.id) == 30
    assert sorted(release.manifest) == sorted(files()) == sorted(release.files)
    assert project.load(files(short())).id != release.id
    moved = {path.replace("order", "ordre"): data.replace(b"@order", b"@ordre") for path, data in files().items()}
    assert project.load(moved).id != release.id


def test_a_directory_gives_the_files_that_count(tmp_path: Path) -> None:
    for path, data in files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for path in ("angarium.toml", "workflows/notes.txt", "templates/.hidden", "templates/x.html~", "data/x.db"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    (tmp_path / "locales" / "fa").mkdir(parents=True)
    (tmp_path / "locales" / "fa" / "x.toml").write_bytes(b"")
    assert project.read(tmp_path) == files() | {"locales/fa/x.toml": b""}


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="workflows/: is not there"):
        project.read(tmp_path)
    (tmp_path / "workflows").mkdir()
    assert project.read(tmp_path) == {}
    (tmp_path / "workflows" / "x.py").write_text("")
    with pytest.raises(Invalid, match=r"workflows/x\.py: workflows in Python are not supported yet"):
        project.read(tmp_path)


def test_a_file_that_leads_out_or_is_too_large_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("secret")
    (tmp_path / "project" / "workflows").mkdir(parents=True)
    (tmp_path / "project" / "templates").mkdir()
    (tmp_path / "project" / "templates" / "a.txt").symlink_to(outside)
    with pytest.raises(Invalid, match=r"templates/a\.txt: leads out of the project"):
        project.read(tmp_path / "project")
    (tmp_path / "project" / "templates" / "a.txt").unlink()
    (tmp_path / "project" / "workflows" / "big.toml").write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(Invalid, match=r"workflows/big\.toml: is larger than 1048576 bytes"):
        project.read(tmp_path / "project")


X = "workflows/x.toml: "
BAD: list[tuple[str, str]] = [
    ('steps = [{ send = "sms" }]\nsms.text = "x"', X + 'on: is missing; add on = "order.shipped"'),
    ('on = "a"\nsms.text = "x"', X + "steps: is missing"),
    (short(top="to = 7"), X + "to: names nobody"),
    (short(top='to = ""'), X + "to: names nobody"),
    (short(top='to = "{{ user.id }}"'), X + "to: there is no user here"),
    (short(top='to = ["a", "{{ data. }}"]'), X + "to[1] (line 1, column 7): "),
    (short(top='categroy = "x"'), X + "categroy: is an unknown key; did you mean category?"),
    (short(top='category = "order"'), X + "category: names an unknown category; did you mean orders?"),
    (short(top='expires = "3 days"'), X + 'expires: is not a duration; write it as "10m"'),
    (short(top="expires = 60"), X + "expires: is not a duration"),
    (short(top='until = "opened"'), X + "until: names an unknown status; use one of: acknowledged, delivered"),
    (short(top='schema = "@x.json"'), X + "schema: is not supported yet; take it out"),
    (short(top='cancel_on = ["x"]'), X + "cancel_on: is not supported yet"),
    (short(top='sensitive = ["code"]'), X + "sensitive: is no path into the data"),
    (short(top='email = 1'), X + "email: is not a table"),
    (short(top='push.title = "x"'), X + "push: is for the channel push, which is not supported yet"),
    (short(sms='sms.text = "x"\n[content.a]\nemial.text = "x"'), X + "content.a.emial: is an unknown key; did"),
    ('on = "order shipped"\nsteps = [{ send = "sms" }]\nsms.text = "x"', X + "on: is no type of an event"),
    ('on = []\nsteps = [{ send = "sms" }]\nsms.text = "x"', X + "on: is an empty list"),
    ('on = ["a", "a"]\nsteps = [{ send = "sms" }]\nsms.text = "x"', X + "on[1]: stands there twice"),
    (short("[]"), X + "steps: is no list of steps"),
    (short('["send"]'), X + "steps[0]: is not a table"),
    (short('[{ sned = "sms" }]'), X + "steps[0]: has no step word, sned is none; did you mean send?"),
    (short('[{ when = "true" }]'), X + "steps[0]: has no step word; use one of: delay, first_of, send, stop"),
    (short('[{ send = "sms", delay = "1m" }]'), X + "steps[0]: has more than one step word: send, delay"),
    (short('[{ send = "smss" }]'), X + "steps[0].send: names an unknown channel; did you mean sms?"),
    (short('[{ send = ["sms", "push"] }]'), X + "steps[0].send[1]: names the channel push, which is not supported yet"),
    (short('[{ send = [] }]'), X + "steps[0].send: is an empty list"),
    (short('[{ send = "sms" }, { wait_for = "x" }]'), X + "steps[1].wait_for: is a step that is not supported yet"),
    (short('[{ digest = "1h" }]'), X + "steps[0].digest: is a step that is not supported yet; use send, first_of"),
    (short('[{ first_of = ["sms"], within = "soon" }]'), X + "steps[0].within: is not a duration"),
    (short('[{ send = "sms", within = "1m" }]'), X + "steps[0].within: is an unknown key"),
    (short('[{ send = "sms", whne = "true" }]'), X + "steps[0].whne: is an unknown key; did you mean when?"),
    (short('[{ delay = "0s" }]'), X + "steps[0].delay: is no time at all"),
    (short('[{ stop = "" }]'), X + "steps[0].stop: is empty"),
    (short('[{ send = "sms", when = "data.x >" }]'), X + "steps[0].when (line 1, column 10): "),
    (short('[{ send = "sms", when = "dta.x" }]'), X + "steps[0].when: there is no dta here; did you mean data?"),
    (short('[{ send = "sms", name = "A b" }]'), X + "steps[0].name: is no name for a step"),
    (
        short('[{ send = "sms", name = "a" }, { delay = "1s", name = "a" }]'),
        X + "steps[1].name: is the name of an earlier step",
    ),
    (short('[{ send = "sms", content = "x" }]'), X + "steps[0].content: names content that is not there"),
    (
        short('[{ send = "sms", content = "mangr" }]', top='[content.manager.sms]\ntext = "x"', sms=""),
        X + "steps[0].content: names content that is not there; did you mean manager?",
    ),
    (short('[{ send = "email" }]'), X + "steps[0]: sends over email, which has no content; add a table email"),
    (short(sms='sms.txt = "x"'), X + "sms.txt: is an unknown key; did you mean text?"),
    (short(sms="sms = {}"), X + "sms.text: is missing"),
    (short(sms='sms.text = "@nope.txt"'), X + "sms.text: names the file templates/nope.txt, which is not there"),
    (short(sms='sms.text = "@ordr.html"'), X + "sms.text: names the file templates/ordr.html, which is not there; did"),
    (short(sms='sms.text = "@../categories.toml"'), X + "sms.text: names the file templates/../categories.toml, which"),
    (short(sms='sms.text = "{{ data.x"'), X + "sms.text (line 1, column 9): "),
    (short(sms='sms.text = "{{ dat.x }}"'), X + "sms.text: there is no dat here; did you mean data?"),
    (short(sms="sms.text = 7"), X + "sms.text: is not a text"),
    ("on = \n", "workflows/x.toml: line 1, column 6: invalid value"),
    ('on = "a', "workflows/x.toml: "),
]  # fmt: skip


@pytest.mark.parametrize(("workflow", "text"), BAD)
def test_a_bad_workflow_says_where_what_and_how_to_mend(workflow: str, text: str) -> None:
    found = files(workflow)
    assert mistake(found).startswith(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[x]\npriority = "high"', "x.priority: names an unknown priority; use one of: bulk, critical, normal"),
        ('[x]\nexpires = "1y"', "x.expires: is not a duration"),
        ('[x]\nretries = "2s"', "x.retries: is not a list"),
        ('[x]\nretries = ["2s", "soon"]', "x.retries[1]: is not a duration"),
        ('[x]\non_unknown = "resnd"', "x.on_unknown: names an unknown policy; did you mean resend?"),
        ('[x]\nrequired = "yes"', "x.required: is neither true nor false"),
        ('[x]\nchannels = ["fax"]', "x.channels[0]: names an unknown channel"),
        ('[x]\nquiet = true', "x.quiet: is an unknown key"),
        ('x = 1', "x: is not a table"),
        ('[X]', "X: is no name for a category"),
    ],
)  # fmt: skip
def test_a_bad_category_says_where_and_what(text: str, expected: str) -> None:
    assert mistake({"categories.toml": text.encode()}).startswith(f"categories.toml: {expected}")


def test_a_file_that_is_not_utf8_says_at_which_byte() -> None:
    found = files(short()) | {"workflows/x.toml": b'on = "\xff"'}
    assert mistake(found) == "workflows/x.toml: is not UTF-8, at byte 6; save it as UTF-8"
    found = files(short(sms='sms.text = "@a.txt"')) | {"templates/a.txt": b"ab\xff"}
    assert mistake(found) == "templates/a.txt: is not UTF-8, at byte 2; save it as UTF-8"


def test_a_workflow_needs_a_usable_name() -> None:
    assert mistake({"workflows/a b.toml": short().encode()}).startswith("workflows/a b.toml: has a name that is none")


def test_all_mistakes_are_told_together() -> None:
    bad = short('[{ send = "smss" }, { delay = "x" }]', top='until = "x"', sms="sms.txt = 1")
    with pytest.raises(project.Broken) as caught:
        project.load(files(bad, workflows__y_toml="on ="))
    places = [problem.where for problem in caught.value.problems]
    assert places == [
        "workflows/x.toml: steps[0].send",
        "workflows/x.toml: steps[1].delay",
        "workflows/x.toml: until",
        "workflows/y.toml: end of the file",
        "workflows/x.toml: sms.txt",
    ]
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=30) | st.integers() | st.lists(st.text(), max_size=2)))
def test_any_toml_loads_or_is_refused(table: dict[str, Any]) -> None:
    lines = [f"{_quoted(key)} = {_written(value)}" for key, value in table.items()]
    with pytest.raises(Invalid):
        project.load({"workflows/x.toml": "\n".join(lines).encode()})


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(letter):08X}" for letter in text) + '"'


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_quoted(one) for one in value)}]"
    return _quoted(value) if isinstance(value, str) else str(value % 2**60)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("1d", 86400),
        ("90s", 90),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("0s", 0),
        ("1.5h", 5400),
        ("2w", 1209600),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert durations.duration(text, "x") == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", " ", "10", "m", "-1s", "1h 30m", "30m1h", "1m1m", "\u0661m", "1e3s", 5, None, True, "9y"]
)
def test_what_is_no_duration_is_refused(value: Any) -> None:
    with pytest.raises(Invalid, match='x: is not a duration; write it as "10m"'):
        durations.duration(value, "x")


def test_a_duration_has_an_end() -> None:
    with pytest.raises(Invalid, match="longer than a year"):
        durations.duration("400d", "x")
