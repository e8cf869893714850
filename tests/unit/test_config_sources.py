"""Settings come from four sources in one order, and every mistake says where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.pretty import pretty_repr

from angarium.config.settings import Sandbox, Settings
from angarium.config.sources import Loaded, load
from angarium.errors import AngariumError, Invalid, Misconfigured

CANARY = "hunter2-canary-value"
Environ = Mapping[str, str]
NONE: Environ = {}


def loaded(project: Path, toml: str = "", flags: Mapping[str, Any] | None = None, environ: Environ = NONE) -> Loaded:
    (project / "angarium.toml").write_text(toml)
    return load(project, environ, flags or {})


def refusal(project: Path, toml: str = "", flags: Mapping[str, Any] | None = None, environ: Environ = NONE) -> str:
    with pytest.raises(AngariumError) as caught:
        loaded(project, toml, flags, environ)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_an_empty_project_runs_on_the_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, {}, {})

    assert found.settings.listen == "127.0.0.1:8080"
    assert found.settings.public_url == "http://127.0.0.1:8080"
    assert found.settings.data == str(tmp_path / "data")
    assert found.settings.broker == f"sqlite:///{tmp_path}/data/broker.db"
    assert found.settings.state == f"sqlite:///{tmp_path}/data/state.db"
    assert found.settings.database == f"sqlite:///{tmp_path}/data/angarium.db"
    assert found.settings.retention == 7 * 86400
    assert found.settings.sandbox == Sandbox(listen="127.0.0.1:8090")
    assert set(found.origins.values()) == {"default"}


def test_each_source_outdoes_the_one_before_it(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("redis://file\n")
    toml = 'env = "toml"\nstate = "redis://toml"\ndatabase = "postgresql://toml/a"\nlisten = "127.0.0.1:1"\ndrain = 1'
    environ = {
        "ANGARIUM_STATE": "redis://variable",
        "ANGARIUM_STATE_FILE": "dsn",
        "ANGARIUM_DATABASE": "postgresql://variable/a",
        "ANGARIUM_LISTEN": "127.0.0.1:2",
    }

    found = loaded(tmp_path, toml, {"listen": "127.0.0.1:3"}, environ)

    assert (found.settings.env, found.origins["env"]) == ("toml", "angarium.toml")
    assert (found.settings.database, found.origins["database"]) == ("postgresql://variable/a", "ANGARIUM_DATABASE")
    assert (found.settings.state, found.origins["state"]) == ("redis://file", "ANGARIUM_STATE_FILE")
    assert (found.settings.listen, found.origins["listen"]) == ("127.0.0.1:3", "--listen")
    assert found.origins["admin"] == "default"


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    found = loaded(tmp_path, 'listen = "127.0.0.1:1"', {"listen": None, "log.level": "debug", "drain": 3})

    assert (found.settings.listen, found.settings.log.level, found.settings.drain) == ("127.0.0.1:1", "debug", 3.0)
    assert found.origins["log.level"] == "--log-level"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("ANGARIUM_DRAIN", "2.5", "drain", 2.5),
        ("ANGARIUM_MAX_EVENT_BYTES", " 1024 ", "max_event_bytes", 1024),
        ("ANGARIUM_RETENTION", "1h30m", "retention", 5400.0),
        ("ANGARIUM_SANDBOX", "false", "sandbox", None),
        ("ANGARIUM_SANDBOX", "true", "sandbox", Sandbox()),
        ("ANGARIUM_SANDBOX__LISTEN", "127.0.0.1:0", "sandbox", Sandbox(listen="127.0.0.1:0")),
        ("ANGARIUM_LISTEN", "[::1]:65535", "listen", "[::1]:65535"),
    ],
)
def test_a_variable_is_converted_to_the_type_of_its_setting(
    tmp_path: Path, variable: str, text: str, key: str, value: object
) -> None:
    assert getattr(load(tmp_path, {variable: text}, {}).settings, key) == value


def test_a_list_in_a_variable_is_written_with_commas_or_as_json(tmp_path: Path) -> None:
    environ = {"ANGARIUM_CHANNELS__EMAIL__ACCOUNTS": "sendgrid, smtp", "ANGARIUM_HOOKS__ALLOW": '["10.0.0.1:80"]'}

    settings = load(tmp_path, environ, {}).settings

    assert settings.channels["email"].accounts == ("sendgrid", "smtp")
    assert settings.hooks.allow == ("10.0.0.1:80",)


def test_the_tables_of_accounts_are_merged_by_key_and_left_to_their_service(tmp_path: Path) -> None:
    toml = '[providers.sendgrid]\nrate = 10\nsender = "a@example.com"\n[providers.console]\n'
    environ = {
        "ANGARIUM_PROVIDERS__SENDGRID__API_KEY": "12345",
        "ANGARIUM_PROVIDERS__SENDGRID__RATE": "20",
        "ANGARIUM_PROVIDERS__SENDGRID__HEADERS": '{"a": "b"}',
        "ANGARIUM_PROVIDERS__SENDGRID__NOTE": "[not json",
        "ANGARIUM_PROVIDERS__SENDGRID_EU__USE": "sendgrid",
    }

    found = loaded(tmp_path, toml, environ=environ)

    assert found.settings.providers == {
        "sendgrid": {
            "rate": "20",
            "sender": "a@example.com",
            "api_key": "12345",
            "headers": {"a": "b"},
            "note": "[not json",
        },
        "console": {},
        "sendgrid_eu": {"use": "sendgrid"},
    }
    assert found.origins["providers.sendgrid.sender"] == "angarium.toml"
    assert found.origins["providers.sendgrid.api_key"] == "ANGARIUM_PROVIDERS__SENDGRID__API_KEY"


def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  SG.from-a-file \n")
    (tmp_path / "secret").write_text("s" * 40)
    environ = {
        "ANGARIUM_PROVIDERS__SENDGRID__API_KEY_FILE": str(tmp_path / "key"),
        "ANGARIUM_PROVIDERS__SENDGRID__CA_FILE": "/etc/ca.pem",
        "ANGARIUM_SECRET_FILE": "secret",
    }

    settings = load(tmp_path, environ, {}).settings

    assert settings.providers == {"sendgrid": {"api_key": "SG.from-a-file", "ca_file": "/etc/ca.pem"}}
    assert settings.secret == "s" * 40


def test_variables_of_the_client_of_kubernetes_and_empty_ones_are_no_settings(tmp_path: Path) -> None:
    environ = {
        "ANGARIUM_URL": "https://a",
        "ANGARIUM_KEY": "k",
        "ANGARIUM_PROJECT": "/p",
        "ANGARIUM_SERVICE_HOST": "10.0.0.1",
        "ANGARIUM_SERVICE_PORT_HTTP": "80",
        "ANGARIUM_PORT": "tcp://10.0.0.1:80",
        "ANGARIUM_PORT_80_TCP_ADDR": "10.0.0.1",
        "ANGARIUM_API_SERVICE_PORT": "80",
        "ANGARIUM_BROKER": "",
        "PATH": "/bin",
    }

    assert load(tmp_path, environ, {}) == load(tmp_path, {}, {})


def test_relative_stores_lie_in_the_project_and_absolute_ones_where_they_say(tmp_path: Path) -> None:
    toml = 'data = "/var/lib/x"\nbroker = "sqlite:///own/b.db"\nstate = "sqlite:////abs/s.db"\ndatabase = "sqlite:///:memory:"'

    settings = loaded(tmp_path, toml).settings

    assert settings.data == "/var/lib/x"
    assert settings.broker == f"sqlite:///{tmp_path}/own/b.db"
    assert settings.state == "sqlite:////abs/s.db"
    assert settings.database == "sqlite:///:memory:"


def test_a_project_may_be_given_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load(Path("shop"), {}, {}).settings.data == str(tmp_path / "shop" / "data")


@pytest.mark.parametrize(
    ("listen", "reached"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("[::]:9000", "http://127.0.0.1:9000"),
        ("localhost:9000", "http://localhost:9000"),
    ],
)
def test_the_public_url_follows_the_listener_unless_it_is_given(tmp_path: Path, listen: str, reached: str) -> None:
    assert load(tmp_path, {"ANGARIUM_LISTEN": listen}, {}).settings.public_url == reached
    given = load(tmp_path, {"ANGARIUM_LISTEN": listen, "ANGARIUM_PUBLIC_URL": "https://n.example.com/a/"}, {})
    assert given.settings.public_url == "https://n.example.com/a"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (f'brokr = "{CANARY}"', "brokr (from angarium.toml): there is no such setting: the nearest is broker"),
        (
            f'[log]\nlevl = "{CANARY}"',
            "log.levl (from angarium.toml): there is no such setting: the nearest is log.level",
        ),
        (
            "[channels.emial]\naccounts = []",
            "channels.emial (from angarium.toml): there is no such channel: the nearest is email",
        ),
        ("[channels.email]\nacounts = []", "the nearest is channels.email.accounts"),
        (
            f'[channels.email]\naccounts = "{CANARY}"',
            "channels.email.accounts (from angarium.toml): expected a list of text",
        ),
        (f'drain = "{CANARY}"', "drain (from angarium.toml): expected a number of seconds"),
        ("drain = -1", "expected a number of seconds"),
        ("drain = inf", "expected a number of seconds"),
        ("drain = true", "expected a number of seconds"),
        ("max_recipients = 0", "expected a whole number of at least 1"),
        (f'retention = "{CANARY}"', 'expected a duration such as "7d"'),
        (f'listen = "{CANARY}"', "listen (from angarium.toml): expected host:port"),
        ('listen = "127.0.0.1:65536"', "expected host:port"),
        (f'public_url = "http://a:{CANARY}@b"', "expected an http or https URL"),
        (f'broker = "{CANARY}"', "broker (from angarium.toml): expected a URL"),
        ('secret = "hunter2"', "expected text of at least 32 characters"),
        (f'log = "{CANARY}"', "log (from angarium.toml): expected a table"),
        (
            f'log.level = "{CANARY}"',
            'log.level (from angarium.toml): expected one of "debug", "info", "warning", "error"',
        ),
        (f'providers.sendgrid = "{CANARY}"', "providers.sendgrid (from angarium.toml): expected a table"),
        ("[providers.SendGrid]", "name the account by a-z, 0-9 and _"),
        (f'["{CANARY} in a key"]\na = 1', "? (from angarium.toml): there is no such setting"),
        (f'sandbox = "{CANARY}"', "sandbox (from angarium.toml): expected true or false"),
        (f'hooks.allow = ["{CANARY}"]', "hooks.allow (from angarium.toml): expected a list of host:port"),
        (f'broker = "{CANARY}', "angarium.toml: it is not TOML (at end of document)"),
        (f'drain = 1\nenv = = "{CANARY}"', "angarium.toml: it is not TOML (at line 2"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_mend(tmp_path: Path, toml: str, said: str) -> None:
    assert said in refusal(tmp_path, toml)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("ANGARIUM_BROKR", "brokr (from ANGARIUM_BROKR): there is no such setting: the nearest is broker"),
        ("ANGARIUM_DRAIN", "drain (from ANGARIUM_DRAIN): expected a number of seconds"),
        ("ANGARIUM_SANDBOX", "expected true or false"),
        ("ANGARIUM_LOG", "log (from ANGARIUM_LOG): it is a table: set one of its keys"),
        ("ANGARIUM_PROVIDERS__SENDGRID", "it is a table: set one of its keys"),
        ("ANGARIUM_PROVIDERS__9__KEY", "name the account by a-z, 0-9 and _"),
        ("ANGARIUM_CHANNELS__SMSS__ACCOUNTS", "there is no such channel: the nearest is sms"),
        ("ANGARIUM_LISTEN_FILE", "listen_file (from ANGARIUM_LISTEN_FILE): there is no such setting"),
        ("ANGARIUM_SECRET_FILE", "secret (from ANGARIUM_SECRET_FILE): it must name a file"),
    ],
)
def test_a_mistake_in_a_variable_is_named_with_its_mend(tmp_path: Path, variable: str, said: str) -> None:
    assert said in refusal(tmp_path, environ={variable: CANARY})


def test_a_mistake_in_a_flag_is_named_with_its_mend(tmp_path: Path) -> None:
    assert "listen (from --listen): expected host:port" in refusal(tmp_path, flags={"listen": CANARY})
    assert "the nearest is log.level" in refusal(tmp_path, flags={"log.levle": CANARY})


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_secret_file_that_cannot_be_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    assert "ANGARIUM_SECRET_FILE" in refusal(tmp_path, environ={"ANGARIUM_SECRET_FILE": "key"})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "angarium.toml").write_bytes(b"\xff")
    with pytest.raises(Invalid, match=r"angarium\.toml: it is not UTF-8"):
        load(tmp_path, {}, {})
    (tmp_path / "angarium.toml").unlink()
    (tmp_path / "angarium.toml").mkdir()
    with pytest.raises(Invalid, match=r"angarium\.toml: it cannot be read"):
        load(tmp_path, {}, {})


def test_no_representation_of_the_settings_shows_a_value(tmp_path: Path) -> None:
    found = loaded(tmp_path, f'broker = "amqp://u:{CANARY}@h"\n[providers.sendgrid]\napi_key = "{CANARY}"')

    assert CANARY in found.settings.broker
    assert CANARY not in repr(found) + str(found.settings) + pretty_repr(found)


def test_the_struct_alone_has_the_same_defaults() -> None:
    assert Settings().broker == "sqlite:///{data}/broker.db"


def test_what_is_raised_for_a_setting_says_so_by_its_type(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        loaded(tmp_path, "drain = false")

    assert (caught.value.key, caught.value.value_from) == ("drain", "angarium.toml")
