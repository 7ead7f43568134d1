"""`gw env`: what two environments have in common, whether one is whole, which can go."""

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble

DIFF = {
    "before": "env-1",
    "after": "env-2",
    "python": {"name": "python", "before": "3.11", "after": "3.12"},
    "added": [{"name": "b", "version": "1"}],
    "removed": [{"name": "c", "version": "2"}],
    "changed": [{"name": "a", "before": "1", "after": "2"}],
    "same": 7,
}
PRUNED = {
    "items": [
        {"id": "env-1", "size_bytes": 2 << 30, "freed_bytes": 1 << 20, "used_ms": NOW_MS - 60_000}
    ],
    "size_bytes": 2 << 30,
    "freed_bytes": 1 << 20,
    "left": 3,
    "dry_run": True,
}


def test_a_difference_is_a_table_of_what_changed_came_and_went(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/environments/env-1/diff", Answer(body=DIFF))
    result = gw("env", "diff", "env-1", "my-job")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["PACKAGE", "env-1", "env-2"],
        ["~", "python", "3.11", "3.12"],
        ["~", "a", "1", "2"],
        ["+", "b", "–", "1"],
        ["-", "c", "2", "–"],
    ]
    assert result.stderr == "4 differ, 7 are the same\n"
    assert api.requests[-1].query["to"] == ["my-job"]


def test_what_would_go_is_told_with_what_that_frees(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", "/v1/environments/prune", Answer(body=PRUNED))
    result = gw("env", "prune", "--dry-run", "--keep", "50GB")
    assert api.requests[-1].json == {"keep": "50GB", "dry_run": True}
    assert "env-1" in result.stdout
    assert result.stderr.startswith("1 would be removed, 1 MiB of the disk, 3 stay")


def test_an_environment_that_changed_since_it_was_built_is_a_failure(
    gw: Gw, api: ApiDouble
) -> None:
    view = {
        "id": "env-1",
        "digest": "sha256:0",
        "files": 2,
        "size_bytes": 10,
        "whole": False,
        "faults": ["bin/python-config has changed"],
    }
    api.on("POST", "/v1/environments/env-1/verify", Answer(body=view))
    result = gw("env", "show", "env-1", "--verify")
    assert (result.exit_code, result.stdout) == (1, "bin/python-config has changed\n")
    api.on(
        "POST", "/v1/environments/env-1/verify", Answer(body={**view, "whole": True, "faults": []})
    )
    assert gw("env", "show", "env-1", "--verify").stdout == "whole\n"
    assert gw("env", "show", "--verify").exit_code == 2


def test_a_secret_is_read_from_stdin_and_printed_nowhere(gw: Gw, api: ApiDouble) -> None:
    view = {"name": "ours", "url": "https://pypi.example.com"}
    api.on("PUT", "/v1/secrets/ours", Answer(body=view))
    result = gw("secrets", "set", "ours", "--for", view["url"], stdin="ci:s3cret\n")
    assert api.requests[-1].json == {"value": "ci:s3cret", "url": view["url"]}
    assert (result.exit_code, "s3cret" in result.output) == (0, False)
