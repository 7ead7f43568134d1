"""One object of every kind, in a project of its own, and how each route names it: there, and as one that is not.

`MARK` is in every name and text of theirs, so that an answer that tells anything of them is found.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from gigawatt.api.app import ALL_ROUTES
from gigawatt.model.tenant import Role
from tests.surface.api.site import Site
from tests.surface.api.test_bills import BOOK
from tests.surface.api.test_builds import digest_of, manifest

MARK = "zzowned"
ABSENT = "zzabsent"
PROJECT = MARK
IN_PROJECT = f"?project={PROJECT}"
MONTH = "2001-01"
JOB: dict[str, Any] = {"name": MARK, "command": ["true", MARK], "gang": {"cpus": 0.1}}
WEIGHTS = MARK.encode()
TREE = manifest(**{"a.bin": WEIGHTS})
NO_ENVIRONMENT = "env-" + "0" * 16
NO_DIGEST = "sha256:" + "0" * 64
ROLES = (
    Role.VIEWER,
    Role.DEVELOPER,
    Role.PROJECT_ADMIN,
    Role.TENANT_ADMIN,
    Role.AUDITOR,
)

# Bodies that are good, so that what is refused is refused for whose it is. By verb.
BODIES: dict[str, Any] = {
    "jobs.submit": JOB,
    "arrays.submit": {**JOB, "array": {"count": 2}},
    "asking.ask": {"gang": {"cpus": 0.1}},
    "live.execute": {"command": ["true"]},
    "relabelling.change": {"put": {"a": "b"}},
    "templates.put": {"file": JOB},
    "templates.submit": {},
    "schedules.create": {"name": MARK, "cron": "@daily", "job": JOB},
    "notifications.create": {"name": MARK, "on": ["job.failed"], "webhook": "http://127.0.0.1:9/x"},
    "notifications.redeliver": {},
    "endpoints.put": {
        "name": MARK,
        "model": MARK,
        "command": "python serve.py",
        "gang": {"cpus": 0.1},
        "replicas": {"min": 0, "max": 1},
    },
    "workspaces.make": {"name": MARK, "program": "shell", "gang": {"cpus": 0.1}},
    "workspaces.extend": {"by": "1h"},
    "nodes.set_state": {"state": "ready"},
    "nodes.check": {},
    "gateway.report_demand": {"gateway": "g", "endpoints": []},
    "usage.spent": {"since_ms": 0, "spools": []},
    "allowances.of_key": {"concurrent": 3},
    "allowances.of_project": {"concurrent": 3},
    "usage.count": {"spool": "s", "report": 1, "rows": []},
    "uploads.missing": {"digests": [NO_DIGEST]},
    "environments.ensure": {"kind": "uv", "requirements": ["six"]},
    "environments.prune": {"dry_run": True},
    "secrets.put": {"value": MARK, "url": "https://packages.example/simple"},
    "models.register": {"name": MARK, "digest": digest_of(WEIGHTS)},
    "models.set_alias": {"number": 1},
    "cards.put": {"text": "card"},
    "volumes.create": {"name": MARK},
    "volumes.create_path": {"path": "/nowhere"},
    "s3_volumes.create": {"url": "s3://bucket/prefix"},
    "volumes.set_quota": {"quota": "1GiB"},
    "datasets.check": {"digest": digest_of(TREE)},
    "datasets.register": {"digest": digest_of(TREE)},
    "projects.create": {"name": "made"},
    "tenants.create": {"id": "made"},
    "tenants.set_isolation": {"isolation": "process"},
    "keys.create": {"name": MARK, "role": "viewer"},
    "keys.rotate": {},
    "users.create": {"name": "made"},
    "members.give": {"role": "viewer"},
    "power.change": {"cap": "10kW"},
    "reservations.make": {
        "name": "made",
        "nodes": ["node-1"],
        "duration": "1h",
        "start": "2099-01-01",
    },
    "quotas.change": {"weight": 2},
    "rollouts.steer": {"steer": "pause"},
    "sessions.code": {},
    "sessions.end": {},
    "prices.put": BOOK,
    "agreements.make": {"tenant": "default"},
    "invoices.close": {"month": MONTH},
    "postings.make": {"tenant": "default", "amount": "1", "reason": MARK},
    "budgets.put": {"amount": "5"},
    "retention.set_policy": {"logs": "30d"},
    "retention.prune": {},
}
QUERIES = {
    "environments.diff": "?to=host",
    "artifacts.file_content": "?path=a.bin",
    "artifacts.files_content": "?start=0&stop=1",
    "artifacts.check_file": "?path=a.bin",
    "datasets.diff": "?to=latest",
    "uploads.put": f"?sha256={'0' * 64}",
    "uploads.finish": "?size=1",
    "datasets.file_content": "?path=a.bin",
    "retention.prune": "?dry_run=true",
}


_NOT_OBJECTS = {"{number}", "{port}", "{selector}", "{alias}", "{month}"}


@dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    path: str
    verb: str

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD"}

    def body(self, name: str) -> Any:
        """A good one, for something called `name` where it makes something."""
        if self.verb in {"artifacts.put", "uploads.put", "uploads.put_pack"}:
            return b"x"
        return json.loads(json.dumps(BODIES.get(self.verb)).replace(MARK, name))


ROUTES = tuple(
    Route(method=method, path=path, verb=operation.verb)
    for routes in ALL_ROUTES
    for (method, path), operation in routes.operations.items()
)


@dataclass(kw_only=True)
class Belongings:
    """What routes' parameters are, by the path up to them. `ids` are what no foreign answer may hold."""

    places: dict[str, str] = field(default_factory=dict[str, str])
    ids: set[str] = field(default_factory=lambda: {MARK})

    def path(self, route: Route, *, absent: bool = False) -> str:
        """The route's path with the objects' names in it, or those of none."""
        parts = route.path.split("/")
        for index, part in enumerate(parts):
            if part.startswith("{"):
                name = "/".join((parts[2], part))
                parts[index] = self.missing(name) if absent else self.places[name]
        return "/".join(parts) + QUERIES.get(route.verb, "")

    def missing(self, name: str) -> str:
        """What a parameter is where there is no such object."""
        if "{digest}" in name:
            return NO_DIGEST
        if "{environment}" in name:
            return NO_ENVIRONMENT
        if name.partition("/")[2] in _NOT_OBJECTS:
            return self.places[name]
        return ABSENT

    def tells(self, text: str) -> set[str]:
        """Of what it tells that it must not."""
        return {each for each in self.ids if each in text}

    def neutral(self, text: str) -> str:
        """An answer about one of them, as if it were about none."""
        for real in sorted(self.ids - {MARK}, key=len, reverse=True):
            text = text.replace(real, ABSENT)
        for none in (MARK, NO_DIGEST, NO_ENVIRONMENT, "tenant default"):
            text = text.replace(none, "tenant " * none.startswith("tenant") + ABSENT)
        return text


async def belongings(site: Site) -> Belongings:
    """One of every kind, in the project `PROJECT` of the default tenant, made by the administrator."""
    owned = Belongings()
    await _made(site, "/v1/projects", {"name": PROJECT})
    await _put(site, f"/v1/secrets/{MARK}{IN_PROJECT}", BODIES["secrets.put"])
    await _put(site, f"/v1/artifacts/{digest_of(WEIGHTS)}{IN_PROJECT}", WEIGHTS)
    await _put(site, f"/v1/artifacts/{digest_of(TREE)}{IN_PROJECT}&kind=tree", TREE)
    names = {
        "jobs/{job}": await _made(site, f"/v1/jobs{IN_PROJECT}", JOB),
        "arrays/{array}": await _made(site, f"/v1/arrays{IN_PROJECT}", BODIES["arrays.submit"]),
        "environments/{environment}": await _made(
            site,
            f"/v1/environments{IN_PROJECT}",
            {"kind": "uv", "requirements": [MARK]},
        ),
        "workspaces/{workspace}": await _made(
            site, f"/v1/workspaces{IN_PROJECT}", BODIES["workspaces.make"]
        ),
        "keys/{key}": await _made(site, "/v1/keys", {**BODIES["keys.create"], "project": PROJECT}),
    }
    await _made(site, f"/v1/models{IN_PROJECT}", BODIES["models.register"])
    names["endpoints/{endpoint}"] = await _made(
        site, f"/v1/endpoints{IN_PROJECT}", BODIES["endpoints.put"]
    )
    await _made(site, f"/v1/volumes{IN_PROJECT}", {"name": MARK})
    await _made(site, f"/v1/volumes/{MARK}/versions{IN_PROJECT}", BODIES["datasets.register"])
    await _put(site, f"/v1/templates/{MARK}{IN_PROJECT}", {"file": JOB})
    await _made(site, f"/v1/schedules{IN_PROJECT}", BODIES["schedules.create"])
    await _made(site, f"/v1/notifications{IN_PROJECT}", BODIES["notifications.create"])
    await _made(site, "/v1/users", {"name": MARK, "project": PROJECT})
    await _put(site, "/v1/power/row", {"cap": "100kW"})
    fans = {**BODIES["reservations.make"], "name": "fans", "reason": "new fans"}
    await _made(site, "/v1/reservations", {**fans, "holder": f"default/{PROJECT}"})
    owned.ids |= {*names.values(), digest_of(TREE), digest_of(WEIGHTS)}
    owned.places = _places(names)
    return owned


def _places(names: dict[str, str]) -> dict[str, str]:
    """What stands in routes' paths, by the part before it."""
    return {
        **names,
        **{f"{kind}/{{name}}": MARK for kind in ("templates", "schedules", "notifications")},
        **{f"{kind}/{{name}}": MARK for kind in ("secrets", "models", "volumes")},
        "users/{user}": MARK,
        "projects/{project}": PROJECT,
        "artifacts/{digest}": digest_of(TREE),
        "tenants/{tenant}": "default",
        **{f"{kind}/{{month}}": MONTH for kind in ("invoices", "closings", "statements")},
        "nodes/{node}": "node-0",
        "power/{feed}": "row",
        "reservations/{name}": "fans",
        "models/{selector}": "1",
        "models/{alias}": "prod",
        "volumes/{selector}": "1",
        "artifacts/{number}": "1",
        "jobs/{port}": "80",
        "endpoints/{port}": "80",
    }


async def _made(site: Site, path: str, body: Any) -> str:
    response = await site.call("POST", path, body)
    assert response.status_code in {200, 201}, (path, response.text)
    return response.json().get("id", "")


async def _put(site: Site, path: str, body: Any) -> None:
    response = await site.call("PUT", path, body)
    assert response.status_code < 300, (path, response.text)
