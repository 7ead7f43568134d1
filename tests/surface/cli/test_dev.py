"""`gw dev`: what is sent, what is printed, and what happens to a misspelt verb."""

from pathlib import Path
from typing import Any

import pytest

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble, problem

LINK = "http://127.0.0.1:8486/workspaces/lab/?gigawatt-code=abc"
OPENED = {"workspace": "ws-1", "url": LINK, "expires_ms": NOW_MS + 60_000}


def a_workspace(**changes: Any) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": "ws-1",
        "name": "lab",
        "tenant": "default",
        "project": "default",
        "program": "jupyter",
        "phase": "running",
        "message": "",
        "url": "http://127.0.0.1:8486/workspaces/lab/",
        "node": "node-0",
        "environment": "host",
        "bundle": "",
        "home": "/homes/lab",
        "like": "",
        "cpus": 2.0,
        "gpus": 1.0,
        "memory_bytes": 0,
        "idle_s": 1_800,
        "lease_s": 28_800,
        "active_ms": NOW_MS,
        "suspends_ms": NOW_MS + 1_800_000,
        "lease_end_ms": NOW_MS + 28_800_000,
        "use": {"at_ms": NOW_MS, "cpus": 0.42, "gpu_percent": 7, "busy": 1, "connections": 1},
        "created_ms": NOW_MS - 60_000,
        "created_by": "admin",
        "ended_ms": None,
        "version": 3,
    }
    return {**view, **changes}


@pytest.fixture
def there(api: ApiDouble) -> ApiDouble:
    """One runs, and can be opened."""
    api.on("GET", "/v1/workspaces/(lab|ws-1)", Answer(body=a_workspace()))
    api.on("POST", "/v1/workspaces/ws-1/open", Answer(body=OPENED))
    return api


def test_flags_are_fields_and_the_link_is_what_is_printed(gw: Gw, there: ApiDouble) -> None:
    there.on("POST", "/v1/workspaces", Answer(status=201, body=a_workspace(phase="starting")))
    flags = ("--kind", "vscode", "--gpus", "0.5", "--idle", "30m", "--for", "8h", "--like", "train")
    result = gw("dev", "lab", *flags, "--env", "A=1")
    assert result.exit_code == 0, result.output
    (sent,) = there.sent("POST", "/v1/workspaces")
    assert sent.json == {
        "name": "lab",
        "program": "vscode",
        "like": "train",
        "gang": {"gpus": 0.5},
        "env": {"A": "1"},
        "idle": "30m",
        "lease": "8h",
    }
    assert result.stdout == f"{LINK}\n"
    assert "suspended when unused for 30m" in result.stderr


def test_a_name_that_is_there_is_opened_and_a_suspended_one_started(
    gw: Gw, there: ApiDouble
) -> None:
    assert gw("dev", "lab").stdout == f"{LINK}\n"
    assert there.sent("POST", "/v1/workspaces") == []
    there.on("GET", "/v1/workspaces/lab", Answer(body=a_workspace(phase="suspended")))
    there.on("POST", "/v1/workspaces/ws-1/start", Answer(body=a_workspace(phase="queued")))
    assert gw("dev", "lab").stdout == f"{LINK}\n"
    assert len(there.sent("POST", "/v1/workspaces/ws-1/start")) == 1


def test_one_that_fails_says_why_and_where_to_look(gw: Gw, api: ApiDouble) -> None:
    failed = a_workspace(phase="failed", message="exit code 127: neither code-server nor …")
    api.on("GET", "/v1/workspaces/lab", problem(404, "not-found", "there is no workspace lab"))
    api.on("POST", "/v1/workspaces", Answer(status=201, body=a_workspace(phase="starting")))
    api.on("GET", "/v1/workspaces/ws-1", Answer(body=failed))
    result = gw("dev", "lab", "--kind", "vscode")
    assert result.exit_code == 1
    assert "error: lab is failed: exit code 127: neither code-server" in result.stderr
    assert "hint: gw dev logs lab" in result.stderr


def test_a_file_describes_one(gw: Gw, there: ApiDouble) -> None:
    Path("lab.yaml").write_text("kind: workspace\nname: lab\nprogram: shell\nidle: 10m\n")
    there.on("POST", "/v1/workspaces", Answer(status=201, body=a_workspace()))
    assert gw("dev", "lab.yaml", "--idle", "20m", "--no-wait").exit_code == 0
    (sent,) = there.sent("POST", "/v1/workspaces")
    assert {"name": "lab", "program": "shell", "idle": "20m"}.items() <= sent.json.items()
    Path("job.yaml").write_text("command: [x]\n")
    wrong = gw("dev", "job.yaml")
    assert wrong.exit_code == 2
    assert "a job, and gw dev takes workspaces" in wrong.stderr
    run = gw("run", "lab.yaml")
    assert "a workspace, and gw run takes jobs" in run.stderr
    assert "hint: gw dev lab.yaml" in run.stderr


def test_a_mistake_in_a_file_is_told_with_its_line(gw: Gw, api: ApiDouble) -> None:
    Path("lab.yaml").write_text("kind: workspace\nname: lab\nprogam: shell\n")
    result = gw("dev", "lab.yaml")
    assert result.exit_code == 2
    assert "lab.yaml:3:1: progam is not a known field" in result.stderr
    assert "did you mean 'program'?" in result.stderr
    assert api.requests == []


@pytest.mark.parametrize("words", [("lsit",), ("suspend", "lab"), ("stat", "lab")])
def test_a_misspelt_verb_makes_nothing(gw: Gw, api: ApiDouble, words: tuple[str, ...]) -> None:
    result = gw("dev", *words)
    assert result.exit_code == 2
    assert f"no such command: gw dev {words[0]}" in result.stderr
    assert api.requests == []


def test_the_list_says_what_is_used_and_when_it_ends(gw: Gw, api: ApiDouble) -> None:
    resting = a_workspace(name="old", phase="suspended", node="", use=None, suspends_ms=None)
    resting |= {"message": "it was not used for 30 min", "lease_end_ms": None}
    api.on("GET", "/v1/workspaces", Answer(body={"items": [a_workspace(), resting], "next": ""}))
    result = gw("dev", "list")
    lines = result.stdout.splitlines()
    assert "0.42 CPU, 7% GPU, 1 busy" in lines[1]
    assert "it was not used for 30 min" in lines[2]
    assert "deleted" not in api.requests[-1].query["phase"]


def test_a_shell_wants_a_terminal(gw: Gw, there: ApiDouble) -> None:
    result = gw("dev", "shell", "lab")
    assert result.exit_code == 2
    assert "a shell is attached to from a terminal" in result.stderr
    there.on("GET", "/v1/workspaces/(lab|ws-1)", Answer(body=a_workspace(program="shell")))
    result = gw("dev", "lab")
    assert result.stdout == "ws-1\n"
    assert "gw dev shell lab in a terminal" in result.stderr


def test_what_is_changed_is_told_and_is_json_for_programs(gw: Gw, api: ApiDouble) -> None:
    for verb, phase in (("suspend", "suspending"), ("start", "queued"), ("extend", "running")):
        api.on("POST", f"/v1/workspaces/lab/{verb}", Answer(body=a_workspace(phase=phase)))
    api.on("DELETE", "/v1/workspaces/lab", Answer(body=a_workspace(phase="deleting")))
    assert gw("dev", "stop", "lab").stderr == "lab is suspending\n"
    assert gw("dev", "start", "lab").stderr == "lab is queued\n"
    assert '"phase": "queued"' in gw("dev", "start", "lab", "-o", "json").stdout
    assert gw("dev", "extend", "lab", "--by", "2h").stderr.startswith("the lease of lab ends in")
    assert api.requests[-1].json == {"by": "2h"}
    gw("dev", "delete", "lab", "--purge")
    assert api.requests[-1].query["purge"] == ["true"]
