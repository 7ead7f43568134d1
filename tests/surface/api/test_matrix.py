"""Every route, called by every role, and by callers to whom what it names is not there: nothing tells that it is.

The routes are those of the application and what roles may do is the service's table, so that neither can be forgotten.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from gigawatt.gateway.access import may_call, visible
from gigawatt.gateway.config import parse_config
from gigawatt.model.tenant import Role
from gigawatt.service.permissions import VERBS
from gigawatt.service.tokens import Claims, RankTokens, secret_sha256
from tests.surface.api.belongings import (
    ABSENT,
    MARK,
    PROJECT,
    ROLES,
    ROUTES,
    Belongings,
    Route,
    belongings,
)
from tests.surface.api.conftest import Play
from tests.surface.api.site import SECRET, WAIT_S, Site

pytestmark = pytest.mark.slow

FRESH = "fresh"  # what strangers make is called so
SHARED = ("nodes.", "fleet.", "power.", "reservations.")  # of the site, which all its tenants see
OF_TENANT = ("artifacts.", "reservations.")  # whoever knows a digest in the tenant has it there
# They put something in the caller's own place, whatever is of that name elsewhere.
OWN = {
    *("templates.put", "artifacts.put", "uploads.put", "uploads.show", "uploads.finish"),
    *("secrets.put", "volumes.create_path", "s3_volumes.create"),
}
ENDLESS = {"watch.events"}  # by itself below
STREAMS = ENDLESS | {"watch.job", "watch.array", "logs.of_job"}
SOCKETS = ("/exec", "/attach", "/ports/{port}")  # by GET they say so to everyone: see test_talks
JOB = {"name": "own", "command": ["true"], "gang": {"cpus": 0.1}}


WORK: dict[str, Any] = {"command": ["true"], "gang": {"cpus": 0.1}}
REFERENCES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    # What is made with a reference to something of others, by its place in the paths of routes.
    ("/v1/jobs", {**WORK, "after": ["<jobs/{job}>"]}),
    ("/v1/jobs", {**WORK, "volumes": ["<volumes/{name}>:/data"]}),
    ("/v1/jobs", {**WORK, "environment": "<environments/{environment}>"}),
    ("/v1/endpoints", {**WORK, "name": FRESH, "model": "<models/{name}>"}),
    ("/v1/keys", {"name": FRESH, "user": "<users/{user}>", "role": "viewer"}),
    ("/v1/users", {"name": FRESH, "project": "<projects/{project}>"}),
    (
        "/v1/schedules",
        {"name": FRESH, "cron": "@daily", "template": {"name": "<templates/{name}>"}},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Stranger:
    what: str
    role: Role
    tenant: str
    key: str


def test_nothing_of_others_is_told_by_any_route_to_any_role(play: Play) -> None:
    tried: Counter[tuple[str, str]] = Counter()

    async def scenario(site: Site) -> None:
        owned = await belongings(site)
        leaks: list[str] = []
        for who in await strangers(site):
            for route in ROUTES:
                leaks += await _leaks(site, owned, who, route, tried)
        assert not leaks, "\n".join(leaks)

    play(scenario)
    ways = {(route.method, route.path) for route in ROUTES if _is_tried(route)}
    assert set(tried) == ways
    print(f"{len(ways)} of {len(ROUTES)} routes, {sum(tried.values())} calls, 0 leaks")  # noqa: T201 - the figures


def test_what_others_have_cannot_be_named_in_what_is_made(play: Play) -> None:
    async def scenario(site: Site) -> None:
        owned = await belongings(site)
        missing = {name: owned.missing(name) for name in owned.places}
        wrong: list[str] = []
        for who in (each for each in await strangers(site) if each.role is Role.TENANT_ADMIN):
            for path, body in REFERENCES:
                told = [
                    await site.call("POST", path, _filled(body, names), key=who.key)
                    for names in (owned.places, missing)
                ]
                same = owned.neutral(told[0].text) == owned.neutral(told[1].text)
                if told[0].is_success or told[0].status_code != told[1].status_code or not same:
                    wrong.append(f"{who.what} {path} {body}: {[each.text[:300] for each in told]}")
        assert not wrong, "\n".join(wrong)

    play(scenario)


def test_every_route_refuses_the_roles_that_the_table_does_not_name(play: Play) -> None:
    async def scenario(site: Site) -> None:
        owned = await belongings(site)
        keys = {role: await site.make_key(role, project="") for role in (*ROLES, Role.GATEWAY)}
        wrong: list[str] = []
        for route in (each for each in ROUTES if each.verb and not each.path.endswith(SOCKETS)):
            for role, key in keys.items():
                if role in VERBS[route.verb] and (route.writes or route.verb in STREAMS):
                    continue
                separator = "&" if "?" in owned.path(route) else "?"
                in_project = (
                    f"{separator}project={PROJECT}"
                    if "/{name}" in route.path and not route.verb.startswith(SHARED)
                    else ""
                )
                path = owned.path(route) + in_project
                answer = await _call(site, route, path, key)
                allowed = role in VERBS[route.verb]
                if (answer.status_code == 403) == allowed:
                    wrong.append(f"{role} {route.method} {path}: {answer.status_code}")
        assert not wrong, "\n".join(wrong)

    play(scenario)


def test_what_happens_to_others_is_not_in_a_stream_of_events(play: Play) -> None:
    async def scenario(site: Site) -> None:
        owned = await belongings(site)
        for who in await strangers(site):
            if who.role not in VERBS["watch.events"]:
                continue
            answer = await site.call("GET", "/v1/events?limit=1000", key=who.key)
            assert owned.tells(answer.text) == set()

    play(scenario)


def test_no_key_of_others_reaches_an_endpoint_through_a_gateway(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await belongings(site)
        keys = {each.key for each in await strangers(site)}
        config = parse_config(await site.leader.gateway_config(after=0, wait_s=0))
        by_secret = {
            key: config.keys[sha] for key in keys if (sha := secret_sha256(key)) in config.keys
        }
        assert len(by_secret) == len([each for each in keys if not each.startswith("gwr_")])
        assert {each.served_name for each in config.endpoints} == {MARK}
        for key in by_secret.values():
            assert visible(config, key) == [] or may_call(key) is not None

    play(scenario)


async def strangers(site: Site) -> list[Stranger]:
    """Callers of every role in another tenant, and in another project of the same one."""
    site.services.accept_unisolated_tenants = True
    await site.call("POST", "/v1/tenants", {"id": "acme"})
    await site.call("POST", "/v1/projects", {"name": "other"})
    found: list[Stranger] = []
    for tenant, project in (("acme", ""), ("acme", "default"), ("default", "other")):
        what = f"{tenant}/{project or '*'}"
        for role in ROLES:
            key = await site.make_key(role, tenant=tenant, project=project)
            found.append(Stranger(what=what, role=role, tenant=tenant, key=key))
        if project:
            key = await _rank(site, tenant, project)
            found.append(Stranger(what=what, role=Role.RANK, tenant=tenant, key=key))
    return found


async def _rank(site: Site, tenant: str, project: str) -> str:
    """The token of a rank that runs there."""
    key = await site.make_key(Role.DEVELOPER, tenant=tenant, project=project)
    made = await site.call("POST", "/v1/jobs", JOB, key=key)
    job = made.json()
    await site.phase(job, "running")
    claims = Claims(gang=job["id"], attempt=1, tenant=tenant, project=project, expires_ms=1 << 60)
    return RankTokens(SECRET).issue(claims)


def _is_tried(route: Route) -> bool:
    return bool(route.verb) and route.verb not in ENDLESS and not route.path.endswith(SOCKETS)


async def _leaks(
    site: Site,
    owned: Belongings,
    who: Stranger,
    route: Route,
    tried: Counter[tuple[str, str]],
) -> list[str]:
    """What a route tells a stranger of what it must not know."""
    if not _is_tried(route):
        return []
    tried[route.method, route.path] += 1
    at = f"{who.what} {who.role}: {route.method} {route.path}"
    place = owned.path(route, absent=route.verb in OWN).replace(ABSENT, FRESH)
    found = await _call(site, route, place, who.key)
    if found.status_code >= 500 and route.verb != "s3_volumes.create":  # no bucket is there
        return [f"{at} answers {found.status_code}: {found.text[:200]}"]
    if who.role not in VERBS[route.verb] and found.status_code not in {403, 422}:
        return [f"{at} answers {found.status_code} to a role that the table does not name"]
    if "{" not in route.path and not _is_shared(route, who):
        told = set[str]() if route.writes else owned.tells(found.text)
        if who.tenant == "default":
            told = {each for each in told if not each.startswith("sha256:")}
        return [f"{at} tells of {sorted(told)}"] if told else []
    if "{" not in route.path or _is_shared(route, who):
        return []
    tried[route.method, route.path] += 1
    absent = await _call(site, route, owned.path(route, absent=True), who.key)
    return list(_differences(owned, route, found, absent, at))


def _is_shared(route: Route, who: Stranger) -> bool:
    if who.tenant == "default" and route.verb.startswith(("tenants.show", *OF_TENANT)):
        return True
    return "{" in route.path and (route.verb.startswith(SHARED) or route.verb in OWN)


def _differences(
    owned: Belongings, route: Route, found: httpx2.Response, absent: httpx2.Response, at: str
) -> Iterator[str]:
    if found.is_success:
        yield f"{at} answers {found.status_code}: {found.text[:200]}"
    if found.status_code != absent.status_code:
        yield f"{at}: {found.status_code} for what is there, {absent.status_code} for what is not"
    elif not found.is_success and owned.neutral(found.text) != owned.neutral(absent.text):
        yield f"{at}: {found.text[:300]} | {absent.text[:300]}"


async def _call(site: Site, route: Route, path: str, key: str) -> httpx2.Response:
    async with asyncio.timeout(WAIT_S):  # what tells of others may do so for ever
        return await site.call(route.method, path, route.body(FRESH), key=key)


def _filled(body: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """A body with names in its places."""
    text = json.dumps(body)
    for place, name in names.items():
        text = text.replace(f"<{place}>", name)
    assert "<" not in text
    return json.loads(text)
