"""`gw login`, `gw context` and `--context`, against an API that checks keys."""

import json
from pathlib import Path

import pytest

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import TOKEN, Answer, ApiDouble, a_job

AFAR: dict[str, str | None] = {"GIGAWATT_API": None, "GIGAWATT_TOKEN": None, "GIGAWATT_DATA": None}


@pytest.fixture
def logged_in(gw: Gw, api: ApiDouble) -> Gw:
    """An environment that names no instance, after a login as `prod`."""
    who = {"name": "ann", "role": "developer", "tenant": "default", "project": "", "job": ""}
    api.on("GET", "/v1/whoami", Answer(body=who))
    result = gw("login", api.url, "--name", "prod", env=AFAR, stdin=f"{TOKEN}\n")
    assert result.exit_code == 0, result.stderr
    assert TOKEN not in result.output
    return lambda *args, **more: gw(*args, **{"env": AFAR, **more})


def stored(tmp_path: Path) -> Path:
    return tmp_path / "config" / "gigawatt" / "contexts.json"


def test_a_login_is_used_from_then_on(logged_in: Gw, api: ApiDouble, tmp_path: Path) -> None:
    assert stored(tmp_path).stat().st_mode & 0o777 == 0o600
    api.jobs["job-1"] = a_job(id="job-1")
    assert logged_in("jobs", "-o", "json").exit_code == 0
    assert api.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert logged_in("jobs", "--context", "prod").exit_code == 0


def test_a_key_that_is_refused_is_not_stored(gw: Gw, api: ApiDouble, tmp_path: Path) -> None:
    Path("key").write_text("gw_wrong\n")
    result = gw("login", api.url, "--token-file", "key", env=AFAR)
    assert (result.exit_code, stored(tmp_path).exists()) == (2, False)
    assert result.stderr == "error: this key is not known\nhint: use another\n"


@pytest.mark.parametrize("text", ["", "  \n", "two words\n", "one\ntwo\n"])
def test_what_is_no_key_is_refused_before_it_is_sent(gw: Gw, api: ApiDouble, text: str) -> None:
    result = gw("login", api.url, env=AFAR, stdin=text)
    assert (result.exit_code, api.requests) == (2, [])
    assert "no API key" in result.stderr


def test_plain_http_to_another_machine_is_warned_of(gw: Gw) -> None:
    result = gw("login", "http://gpus.invalid", env=AFAR, stdin="key\n")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "warning: http to another machine: the key travels unencrypted\n"
    )


def test_contexts_are_listed_shown_and_chosen_without_their_keys(
    logged_in: Gw, api: ApiDouble
) -> None:
    listed = logged_in("context", "list", "-o", "json")
    shown = {"name": "prod", "api_url": api.url, "user": "ann", "role": "developer"}
    assert json.loads(listed.stdout)["items"] == [{**shown, "tenant": "default", "current": True}]
    asked = json.loads(logged_in("context", "show", "-o", "json").stdout)
    assert asked == {"api_url": api.url, "source": "context prod", "key": True}
    assert TOKEN not in logged_in("context", "prod").output
    assert "* " in logged_in("context", "list").stdout
    assert logged_in("context", "use", "local").exit_code == 0
    listed = logged_in("context", "list", "-o", "json")
    assert [each["current"] for each in json.loads(listed.stdout)["items"]] == [False]


def test_a_removed_context_is_not_known_any_more(logged_in: Gw, tmp_path: Path) -> None:
    assert logged_in("context", "remove", "prod").exit_code == 0
    assert TOKEN not in stored(tmp_path).read_text()
    result = logged_in("jobs", "--context", "prod")
    assert result.exit_code == 2
    assert result.stderr == "error: there is no context 'prod'\nhint: there are: local\n"


def test_choosing_says_what_wins_over_it(logged_in: Gw) -> None:
    result = logged_in("context", "use", "prod", env={**AFAR, "GIGAWATT_DATA": "/nowhere"})
    assert result.stderr.splitlines()[1] == "GIGAWATT_DATA is set in this shell, and wins over it"


def test_names_are_completed(logged_in: Gw) -> None:
    words = {**AFAR, "_GW_COMPLETE": "bash_complete"}
    for line, offered in (("gw logs --context p", "prod"), ("gw context use l", "local")):
        env = {**words, "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        assert logged_in(env=env).stdout.splitlines() == [f"plain,{offered}"]
