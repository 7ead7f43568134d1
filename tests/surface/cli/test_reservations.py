"""`gw reservations`, as people and programs see it."""

import json
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble

PATH = "/v1/reservations"


def reservation(name: str, **fields: Any) -> dict[str, Any]:
    bare: dict[str, Any] = {
        "phase": "planned",
        "nodes": ["n1", "n2"],
        "start_ms": 1_800_000_000_000,
        "end_ms": 1_800_014_400_000,
        "holder": "",
        "reason": "new fans",
        "notice_s": 600,
        "lead_s": 86_400,
        "by": "ann",
        "created_ms": 0,
        "version": 1,
    }
    return {"name": name, **bare, **fields}


def test_what_is_named_is_set_aside(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", PATH, Answer(body=reservation("fans"), status=201))
    done = gw(
        "reservations", "make", "fans", "--nodes", "n1,n2", "--for", "4h", "--reason", "new fans"
    )
    assert api.requests[-1].json == {
        "name": "fans",
        "nodes": ["n1", "n2"],
        "parts": [],
        "duration": "4h",
        "reason": "new fans",
    }
    assert "maintenance" in done.stdout
    assert "2027-01-15" in done.stdout
    options = ("--part", "rack=r7", "--from", "2026-12-01", "--until", "2026-12-02")
    gw("reservations", "make", "fans", *options, "--holder", "acme/vision", "--lead", "2d")
    assert api.requests[-1].json == {
        "name": "fans",
        "nodes": [],
        "parts": ["rack=r7"],
        "start": "2026-12-01",
        "end": "2026-12-02",
        "holder": "acme/vision",
        "lead": "2d",
    }


def test_an_end_is_asked_for_once(gw: Gw) -> None:
    for options in ((), ("--for", "4h", "--until", "2026-12-02")):
        done = gw("reservations", "make", "fans", "--nodes", "n1", *options)
        assert done.exit_code == 2
        assert "either --until or --for" in done.stderr


def test_they_are_listed_by_when_they_begin(gw: Gw, api: ApiDouble) -> None:
    later = reservation("late", start_ms=1_800_000_000_001, nodes=[f"n{n}" for n in range(9)])
    body = {"items": [later, reservation("early", holder="acme")], "next": ""}
    api.on("GET", PATH, Answer(body=body))
    lines = gw("reservations").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "early", "late"]
    assert "acme" in lines[1]
    assert json.loads(gw("reservations", "list", "-o", "json").stdout) == body


def test_one_is_shown_with_its_nodes_and_ended(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", f"{PATH}/fans", Answer(body=reservation("fans")))
    assert "n1 n2" in gw("reservations", "fans").stderr
    api.on("DELETE", f"{PATH}/fans", Answer(body=reservation("fans", phase="ended")))
    assert "fans is over" in gw("reservations", "end", "fans").stderr
