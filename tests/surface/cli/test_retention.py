"""`gw retention` and `gw prune`, as people and programs see them."""

import json
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble

POLICY = {
    "tenant": "default",
    "project": "vision",
    "policies": [
        {"kind": "jobs", "keep_s": 0, "own_s": None},
        {"kind": "logs", "keep_s": 2_592_000, "own_s": 2_592_000},
    ],
    "version": 2,
}
PLAN: dict[str, Any] = {
    "dry_run": True,
    "kinds": [{"kind": "logs", "go": 2, "go_bytes": 2048, "stay": 1, "stay_bytes": 1}],
    "go": [],
    "stay": [
        {
            "kind": "logs",
            "why": "job job-1 is running",
            "items": 1,
            "size_bytes": 1,
            "example": "job-1",
        }
    ],
    "more": 3,
    "errors": [],
}


def test_policies_are_set_by_name_and_shown_with_who_says_so(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/projects/vision/retention", Answer(body=POLICY))
    done = gw("retention", "set", "--logs", "30d", "--project", "vision")
    assert api.requests[-1].json == {"logs": "30d"}
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["KIND", "KEPT", "BY"],
        ["jobs", "for", "ever", "the", "instance"],
        ["logs", "30d", "project", "vision"],
    ]


def test_a_set_that_names_nothing_is_refused_before_anything_is_asked(
    gw: Gw, api: ApiDouble
) -> None:
    done = gw("retention", "set")
    assert done.exit_code == 2
    assert "--logs 30d" in done.stderr
    assert api.requests == []


def test_a_dry_run_says_how_much_would_go_and_why_the_rest_stays(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", "/v1/prune", Answer(body=PLAN))
    done = gw("prune", "--dry-run", "--older-than", "30d", "logs")
    assert api.requests[-1].json == {"kinds": ["logs"], "older_than": "30d"}
    assert api.requests[-1].query["dry_run"] == ["true"]
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["logs", "2", "2 KiB", "1", "1 B"] in cells
    assert ["logs", "1", "job job-1 is running", "job-1"] in cells
    assert "3 things more" in done.stderr


def test_what_could_not_be_removed_is_told_and_fails_the_command(gw: Gw, api: ApiDouble) -> None:
    failed = {**PLAN, "dry_run": False, "errors": ["logs job-1: no"]}
    api.on("POST", "/v1/prune", Answer(body=failed))
    done = gw("prune", "-o", "json")
    assert json.loads(done.stdout) == failed
    assert done.exit_code == 1
