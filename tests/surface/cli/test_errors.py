"""Every error is a line or two: what, where, what next; and an exit code."""

import socket
from pathlib import Path

import pytest

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble, problem

DONE, FAILED, WRONG = 0, 1, 2


@pytest.mark.parametrize(
    ("args", "code", "error", "hint"),
    [
        (["jbos"], WRONG, "no such command: gw jbos", "did you mean `gw jobs`?"),
        (["xyzzy"], WRONG, "no such command: gw xyzzy", "gw --help"),
        (
            ["jobs", "--pase"],
            WRONG,
            "no such option of gw jobs show: --pase",
            "did you mean `--phase`",
        ),
        (["nodes", "cordn", "n"], WRONG, "no such command: gw nodes cordn", "did you mean"),
        (["jobs", "--phase", "runing"], WRONG, "invalid value for '--phase'", "`running`?"),
        (["jobs", "--limit", "0"], WRONG, "invalid value for '--limit'", "gw jobs show --help"),
        (["logs"], WRONG, "missing argument 'JOB'", "gw logs --help"),
        (["logs", "nope"], FAILED, "there is no job nope", "gw jobs lists those there are"),
        (["run"], WRONG, "nothing to run", "gw run --help"),
        (["run", "train.py"], WRONG, "train.py is a program", "gw run -- python train.py"),
        (["run", "python"], WRONG, "no such file: python", "gw run -- python …"),
        (["run", "--env", "A", "--", "x"], WRONG, "'A' is not NAME=VALUE", "gw run --help"),
        (["run", "--follow", "-o", "json", "--", "x"], WRONG, "--follow prints", ""),
        (["serve", "tiny"], WRONG, "nothing to serve tiny with", "gw serve --help"),
        (["models", "alias", "tiny", "prod"], WRONG, "give the number of a version", ""),
        (["env", "build"], WRONG, "nothing to build", "gw env build --help"),
        (["keys", "create", "a", "--expires", "3x"], WRONG, "is not a duration", ""),
        (["up", "--port", "99999"], WRONG, "--port is 99999", ""),
        (["sim", "replay", "none.cycle"], WRONG, "cannot read none.cycle", "DATA/cycles"),
        (["completion", "tcsh"], WRONG, "'tcsh' is not one of", ""),
    ],
)
def test_an_error_says_what_and_what_next(
    gw: Gw, args: list[str], code: int, error: str, hint: str
) -> None:
    result = gw(*args)
    assert result.exit_code == code
    assert result.stdout == ""
    first, *rest = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert len(rest) <= 1
    assert hint in "".join(rest)


def test_a_refusal_of_the_api_is_told_as_it_stands(gw: Gw, api: ApiDouble) -> None:
    refusal = problem(
        422,
        "impossible",
        "no cluster of this size could ever hold it (it needs 50 nodes and can have 2 nodes)",
        field="gang.nodes",
        hint="ask for less of it, or add nodes",
    )
    api.on("POST", "/v1/jobs", refusal)
    result = gw("run", "--no-bundle", "--nodes", "50", "--", "true")
    assert result.exit_code == WRONG
    assert result.stderr.splitlines() == [
        "error: gang.nodes: no cluster of this size could ever hold it "
        "(it needs 50 nodes and can have 2 nodes)",
        "hint: ask for less of it, or add nodes",
    ]


def test_every_fault_is_told(gw: Gw, api: ApiDouble) -> None:
    faults = [
        {"field": "a", "detail": "a is not a known field", "hint": "did you mean 'after'?"},
        {"field": "b", "detail": "b must be text", "hint": ""},
    ]
    api.on("POST", "/v1/jobs", problem(422, "invalid", "a is (and 1 more)", faults=faults))
    assert gw("run", "--no-bundle", "--", "true").stderr.splitlines() == [
        "error: a is not a known field",
        "hint: did you mean 'after'?",
        "error: b must be text",
    ]


@pytest.mark.parametrize(
    ("status", "code"), [(400, WRONG), (401, WRONG), (409, WRONG), (404, FAILED), (500, FAILED)]
)
def test_the_exit_code_tells_a_wrong_request_from_a_failure(
    gw: Gw, api: ApiDouble, status: int, code: int
) -> None:
    api.on("GET", "/v1/nodes", problem(status, "x", "it is so"))
    result = gw("nodes")
    assert (result.exit_code, result.stderr) == (code, "error: it is so\n")


def test_a_missing_thing_that_a_field_names_is_a_wrong_request(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", "/v1/jobs", problem(404, "not-found", "there is no job x", field="after"))
    result = gw("run", "--no-bundle", "--after", "x", "--", "true")
    assert (result.exit_code, result.stderr) == (WRONG, "error: after: there is no job x\n")


def test_where_nothing_runs_it_is_said_how_to_start_it(gw: Gw, tmp_path: Path) -> None:
    result = gw("jobs", env={"GIGAWATT_API": None, "GIGAWATT_TOKEN": None})
    file = tmp_path / "data" / "instance.json"
    assert result.exit_code == FAILED
    first, second = result.stderr.splitlines()
    assert first == f"error: no gigawatt instance is running here ({file} does not exist)"
    assert second.startswith(f"hint: start one with: gw up --detach --data {tmp_path / 'data'}")


def test_where_nothing_answers_it_is_said_where(gw: Gw) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = gw("jobs", "--api", url)
    assert result.exit_code == FAILED
    assert result.stderr.startswith(f"error: nothing answers at {url} (as asked)")
    assert "hint: start it with: gw up --detach" in result.stderr


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8484", "http://"])
def test_what_is_no_url_is_told_as_such(gw: Gw, url: str) -> None:
    result = gw("jobs", "--api", url)
    assert result.exit_code == FAILED
    assert "error: not the URL of an API" in result.stderr


def test_what_is_no_gigawatt_is_told_as_such(gw: Gw, api: ApiDouble) -> None:
    page = Answer(chunks=(b"<html>hello</html>",), headers={"Content-Type": "text/html"})
    api.on("GET", "/v1/nodes", page)
    assert "is not a gigawatt API" in gw("nodes").stderr


def test_a_wrong_key_is_told_with_what_to_do(gw: Gw) -> None:
    result = gw("jobs", env={"GIGAWATT_TOKEN": "wrong"})
    assert result.exit_code == WRONG
    assert result.stderr == "error: this key is not known\nhint: use another\n"


def test_our_own_mistake_is_no_traceback(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/nodes", Answer(body={"items": [{"id": "n"}], "next": ""}))
    result = gw("nodes")
    assert result.exit_code == FAILED
    assert result.stderr.splitlines() == [
        "error: KeyError: 'free'",
        "hint: this is a mistake in gigawatt; GIGAWATT_DEBUG=1 shows where",
    ]


def test_no_command_at_all_is_a_request_for_help(gw: Gw) -> None:
    result = gw()
    assert result.exit_code == WRONG
    assert "gw run -- python train.py" in result.stderr
