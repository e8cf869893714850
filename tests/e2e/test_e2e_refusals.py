"""What does not start: data that is in use, ports that are taken, projects with mistakes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.e2e.projects import DEMO, copied, written
from tests.e2e.server import Server, command, embedded


def test_a_second_process_on_the_same_data_is_refused_and_told_who_holds_it(
    demo: Server, children: ExitStack, tmp_path: Path
) -> None:
    second = embedded(children, tmp_path, demo.project)
    child = second.launch()

    assert child.ended(20) == 2
    assert f"pid {demo.child.pid}" in child.said()
    assert "Traceback" not in child.said()
    assert not demo.ailing()


def test_a_port_that_is_taken_is_refused_and_named(demo: Server, children: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    second = embedded(children, tmp_path / "other", demo.project)
    second.environ["ANGARIUM_LISTEN"] = demo.environ["ANGARIUM_LISTEN"]
    child = second.launch()

    assert child.ended(20) == 2
    assert "listen" in child.said()
    assert "Traceback" not in child.said()


def test_a_project_with_mistakes_tells_all_of_them_at_once(children: ExitStack, tmp_path: Path) -> None:
    project = written(
        tmp_path / "project",
        {
            "workflows/one.toml": 'on = "one"\nsteps = [{ sned = "email" }]\n[email]\nsubject = "x"\ntext = "y"\n',
            "workflows/two.toml": 'on = "two"\ncategory = "nowhere"\nsteps = [{ send = "email" }]\n',
            "workflows/three.toml": 'on = "three\n',
            "workflows/four.toml": 'on = "four"\nsteps = [{ send = "sms" }]\n[sms]\ntext = "{{ data.x "\n',
        },
    )
    child = embedded(children, tmp_path, project).launch()

    assert child.ended(20) == 2
    for file in ("one.toml", "two.toml", "three.toml", "four.toml"):
        assert f"workflows/{file}" in child.said()
    assert "`send`" in child.said() or "send" in child.said()
    assert "Traceback" not in child.said()


def test_a_setting_that_is_not_there_is_refused_with_the_nearest_name(children: ExitStack, tmp_path: Path) -> None:
    project = copied(DEMO, tmp_path / "project")
    (project / "angarium.toml").write_text('brokre = "sqlite:///x.db"\n')
    child = embedded(children, tmp_path, project).launch()

    assert child.ended(20) == 2
    assert "broker" in child.said()


def test_an_empty_directory_is_no_project(children: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    child = embedded(children, tmp_path, tmp_path / "empty").launch()

    assert child.ended(20) == 2
    assert "workflows" in child.said()
    assert "Traceback" not in child.said()


def test_a_command_without_a_server_says_how_to_get_one(demo: Server, tmp_path: Path) -> None:
    elsewhere = {**demo.environ, "XDG_STATE_HOME": str(tmp_path / "nothing")}
    told = command(elsewhere, tmp_path, "audit", "--json")

    assert (told.code, told.out) == (2, "")
    assert "angarium run" in told.err
