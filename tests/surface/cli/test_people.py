"""`gw users`, `gw service-accounts`, `gw members` and `gw keys`, as people and programs see them."""

import json
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble

ADA: dict[str, Any] = {
    "name": "ada",
    "tenant": "acme",
    "kind": "person",
    "email": "ada@acme.example",
    "grants": [{"project": "", "role": "auditor"}, {"project": "nlp", "role": "developer"}],
    "created_ms": NOW_MS,
    "created_by": "root",
    "disabled_ms": None,
    "version": 1,
}


def test_people_are_listed_with_what_they_hold(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/users", Answer(body={"items": [ADA], "next": ""}))
    done = gw("users")
    assert "auditor in *, developer in nlp" in done.stdout
    assert api.requests[-1].query == {"kind": ["person"]}
    assert json.loads(gw("users", "-o", "json").stdout)["items"] == [ADA]


def test_a_service_account_is_created_with_a_role_in_a_project(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", "/v1/users", Answer(body={**ADA, "kind": "service"}, status=201))
    gw("service-accounts", "create", "ci", "--project", "nlp")
    assert api.requests[-1].json == {
        "name": "ci",
        "role": "developer",
        "kind": "service",
        "project": "nlp",
    }


def test_a_user_is_disabled_and_enabled(gw: Gw, api: ApiDouble) -> None:
    for what in ("disable", "enable"):
        api.on("POST", f"/v1/users/ada/{what}", Answer(body=ADA))
        assert "ada" in gw("users", what, "ada").stdout


def test_roles_are_set_and_removed(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/users/ada/roles", Answer(body=ADA))
    gw("members", "set", "ada", "developer", "--project", "nlp")
    assert api.requests[-1].json == {"role": "developer", "project": "nlp"}
    api.on("DELETE", "/v1/users/ada/roles", Answer(body=ADA))
    gw("members", "remove", "ada", "--project", "nlp")
    assert api.requests[-1].query == {"project": ["nlp"]}


def test_members_are_shown_by_project(gw: Gw, api: ApiDouble) -> None:
    member = {"tenant": "acme", "project": "", "user": "ada", "kind": "person", "role": "auditor"}
    page = {"items": [{**member, "disabled": True}], "next": ""}
    api.on("GET", "/v1/members", Answer(body=page))
    line = gw("members").stdout.splitlines()[-1].split()
    assert line == ["acme/*", "ada", "auditor", "person", "disabled"]


def test_a_rotated_keys_successor_is_printed_once(gw: Gw, api: ApiDouble) -> None:
    key = {"id": "key-2", "key": "gw_new", "role": "developer"}
    api.on("POST", "/v1/keys/key-1/rotate", Answer(body=key, status=201))
    done = gw("keys", "rotate", "key-1", "--overlap", "2h")
    assert (done.stdout.strip(), api.requests[-1].json) == (
        "gw_new",
        {"overlap_s": 7200, "expires_ms": 0},
    )


def test_a_key_that_is_looked_for_is_not_sent_whole(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/keys", Answer(body={"items": [], "next": ""}))
    gw("keys", "--prefix", "gw_abcdefghijklmnop")
    assert api.requests[-1].query == {"prefix": ["gw_abcdef"]}
