"""`gw quota`, as people and programs see it."""

from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble

NONE: dict[str, Any] = {"gpus": None, "cpus": None, "memory_bytes": None, "kinds": {}}
QUOTA: dict[str, Any] = {
    "tenant": "default",
    "project": "vision",
    "parent": "research",
    "quota": {**NONE, "gpus": 8.0},
    "limit": {**NONE, "gpus": 16.0, "memory_bytes": 1 << 40},
    "caps": {"replicas": 4, "storage_bytes": 1 << 40},
    "borrow": True,
    "weight": 2,
    "guaranteed": {**NONE, "gpus": 8.0},
    "used": {"gpus": 9.5, "cpus": 32.0, "memory_bytes": 1 << 34, "kinds": {"h100": 6.0}},
    "borrowed": {**NONE, "gpus": 1.5},
    "average": {"gpus": 4.0, "cpus": 1.0, "memory_bytes": 0, "kinds": {}},
    "share": 0.09375,
    "version": 3,
}


def test_what_is_named_is_set_and_what_stands_now_is_shown(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/projects/vision/quota", Answer(body=QUOTA))
    options = ("--gpus", "8", "--max-gpus", "16", "--max-memory", "1TiB", "--cpus", "none")
    done = gw("quota", "set", *options, "--parent", "research", "--project", "vision")
    assert api.requests[-1].json == {
        "quota": {"gpus": 8.0, "cpus": None},
        "limit": {"gpus": 16.0, "memory": "1TiB"},
        "parent": "research",
    }
    assert "vision" in done.stdout
    assert "1.5 GPUs" in done.stdout


def test_kinds_of_gpu_have_quotas_and_limits_of_their_own(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/projects/vision/quota", Answer(body=QUOTA))
    options = ("--gpu", "h100=64", "--gpu", "a100=none", "--max-gpu", "b200=16")
    done = gw("quota", "set", *options, "--project", "vision")
    assert api.requests[-1].json == {
        "quota": {"kinds": {"h100": 64.0, "a100": None}},
        "limit": {"kinds": {"b200": 16.0}},
    }
    assert "6 h100" in done.stdout
    wrong = gw("quota", "set", "--max-gpu", "b200=many")
    assert wrong.exit_code == 2
    assert "--max-gpu takes a number or none" in wrong.stderr


def test_weights_borrowing_and_the_top_are_set_too(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/projects/vision/quota", Answer(body=QUOTA))
    gw("quota", "set", "--weight", "3", "--no-borrow", "--parent", "none", "--project", "vision")
    assert api.requests[-1].json == {"weight": 3, "borrow": False, "parent": ""}


def test_projects_are_listed_with_what_they_use(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/quotas", Answer(body={"items": [QUOTA], "next": ""}))
    done = gw("quota", "show")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["PROJECT", "vision"]
    assert "research" in done.stdout


def test_what_is_no_amount_is_refused_before_anything_is_asked(gw: Gw, api: ApiDouble) -> None:
    assert "name at least one amount" in gw("quota", "set").stderr
    done = gw("quota", "set", "--max-gpus", "many")
    assert done.exit_code == 2
    assert "--max-gpus takes a number or none" in done.stderr
    assert api.requests == []


LIMITS: dict[str, Any] = {
    "tenant": "default",
    "project": "vision",
    "month": "2026-11",
    "kept": {"artifacts": 3 << 30, "checkpoints": 1 << 30, "workspaces": 0},
    "items": [
        {
            "what": "storage",
            "unit": "byte",
            "whose": "vision",
            "used": str(4 << 30),
            "limit": str(5 << 30),
            "percent": 80,
            "state": "near",
            "then": "nothing more is stored",
        },
        {
            "what": "replicas",
            "unit": "replica",
            "whose": "vision",
            "used": "3",
            "limit": None,
            "percent": None,
            "state": "off",
            "then": "",
        },
    ],
}


def test_limits_of_replicas_and_storage_are_set_and_taken_away(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/projects/vision/quota", Answer(body=QUOTA))
    options = ("--max-replicas", "4", "--max-storage", "none", "--project", "vision")
    done = gw("quota", "set", *options)
    assert api.requests[-1].json == {"limit": {"replicas": 4, "storage": None}}
    assert "4 replicas" in done.stdout
    wrong = gw("quota", "set", "--max-replicas", "2.5")
    assert (wrong.exit_code, "max-replicas" in wrong.stderr) == (2, True)


def test_every_limit_is_shown_in_one_place_and_one_that_is_off_looks_off(
    gw: Gw, api: ApiDouble
) -> None:
    api.on("GET", "/v1/projects/vision/limits", Answer(body=LIMITS))
    done = gw("quota", "limits", "--project", "vision")
    near, off = (line for line in done.stdout.splitlines() if line.startswith(("sto", "rep")))
    assert "80 %" in near
    assert "near" in near
    assert "nothing more is stored" in near
    assert off.split()[:4] == ["replicas", "vision", "3", "off"]
    assert "GiB of artifacts" in done.stderr
