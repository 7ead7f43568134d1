"""`gw tenants`, as people and programs see it."""

import json

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble

ACME = {"id": "acme", "created_ms": NOW_MS, "isolation": "process", "version": 1}


def test_a_tenant_is_created_and_its_first_key_is_what_comes_next(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", "/v1/tenants", Answer(body=ACME, status=201))
    done = gw("tenants", "create", "acme")
    assert api.requests[-1].json == {"id": "acme"}
    assert "gw keys create NAME --tenant acme --role tenant-admin" in done.stderr


def test_tenants_are_listed_and_one_is_shown(gw: Gw, api: ApiDouble) -> None:
    page = {"items": [ACME], "next": ""}
    api.on("GET", "/v1/tenants", Answer(body=page))
    api.on("GET", "/v1/tenants/acme", Answer(body=ACME))
    for arguments, body in ((("list",), page), ((), page), (("show", "acme"), ACME)):
        assert "acme" in gw("tenants", *arguments).stdout
        assert json.loads(gw("tenants", *arguments, "-o", "json").stdout) == body


def test_a_key_for_a_tenant_is_asked_for_by_its_name(gw: Gw, api: ApiDouble) -> None:
    api.on("POST", "/v1/keys", Answer(body={"id": "key-1", "key": "gw_x"}, status=201))
    gw("keys", "create", "ada", "--tenant", "acme", "--role", "tenant-admin")
    assert api.requests[-1].json == {"name": "ada", "role": "tenant-admin", "tenant": "acme"}


def test_a_tenants_least_isolation_is_set_and_told(gw: Gw, api: ApiDouble) -> None:
    api.on("PUT", "/v1/tenants/acme/isolation", Answer(body=ACME))
    done = gw("tenants", "set", "acme", "--isolation", "process")
    assert api.requests[-1].json == {"isolation": "process"}
    assert "what tenant acme starts from now on has isolation process at least" in done.stderr
    done = gw("tenants", "set", "acme", "--isolation", "node")
    assert done.exit_code == 2
    assert "'none', 'process', 'user'" in done.stderr
