"""What gateways are told, and what they tell: a configuration with a revision, and demand by endpoint."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from gigawatt.model.budget import Budget
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Endpoint, Replica
from gigawatt.model.roles import standing
from gigawatt.model.rollout import WHOLE
from gigawatt.model.tenant import ApiKey, Project, User
from gigawatt.model.tokens import Allowance
from gigawatt.model.world import World
from gigawatt.service.scopes import INVOKE, allows


class GatewayLink:
    """Long polls wait here until the configuration has changed."""

    def __init__(self, *, instance: str) -> None:
        self._instance = instance
        self._config: dict[str, Any] = {"revision": 0}
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def revision(self) -> int:
        return self._config["revision"]

    def update(self, world: World, puts: Iterable[Entity], *, first: bool = False) -> None:
        """Make the configuration anew if any change concerns gateways."""
        if not first and not any(
            isinstance(each, Endpoint | Replica | ApiKey | Project | User | Budget) for each in puts
        ):
            return
        config = configuration(world)
        if not first and config == {k: v for k, v in self._config.items() if k in config}:
            return
        config["revision"] = self.revision + 1 if self.revision else world.epoch << 32
        config["instance"] = self._instance
        self._config = config
        self._changed.set()
        self._changed = asyncio.Event()

    async def config(self, *, after: int, wait_s: float) -> dict[str, Any]:
        """The configuration, as soon as its revision differs from `after`, or after `wait_s`."""
        if self.revision == after and not self._closed:
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                return self._config
        return self._config

    def close(self) -> None:
        """End every long poll: the API is about to close."""
        self._closed = True
        self._changed.set()


def configuration(world: World) -> dict[str, Any]:
    """Keys by their hashes, endpoints and where their replicas answer; sorted, so that equal is equal."""
    return {
        "keys": [
            {
                "sha256": key.sha256,
                "tenant": key.tenant,
                "project": key.project,
                "id": key.id,
                "role": role.value,
                "expires_ms": key.expires_ms,
                "allowance": _allowance(key.allowance),
            }
            for key in sorted(world.keys.values(), key=lambda each: each.id)
            if key.revoked_ms is None
            and allows(key.scopes, INVOKE)
            and (role := standing(key, world.users.get(key.user))) is not None
        ],
        "projects": [
            {"id": project.id, "allowance": _allowance(project.allowance)}
            for project in sorted(world.projects.values(), key=lambda each: each.id)
            if project.allowance.limits
        ],
        "spent": [
            {"id": budget.id}
            for budget in sorted(world.budgets.values(), key=lambda each: each.id)
            if budget.bars
        ],
        "endpoints": [
            _endpoint(world, endpoint)
            for endpoint in sorted(world.endpoints.values(), key=lambda each: each.id)
        ],
    }


def _endpoint(world: World, endpoint: Endpoint) -> dict[str, Any]:
    spec = endpoint.serving
    there = sorted(
        (r for r in world.replicas.values() if r.endpoint == endpoint.id and not r.stopping),
        key=lambda replica: replica.id,
    )
    return {
        "id": endpoint.id,
        "tenant": endpoint.tenant,
        "project": endpoint.project,
        "name": spec.name,
        "served_name": spec.served_name,
        "created_ms": endpoint.created_ms,
        "concurrency": spec.concurrency,
        "queue_max": spec.queue_max,
        "queue_timeout_s": spec.queue_timeout_s,
        "routing": spec.routing.value,
        "aliases": list(spec.names.aliases),
        "adapters": list(spec.names.adapters),
        "weight": spec.names.weight,
        "fallback": spec.names.fallback,
        "phase": endpoint.phase.value,
        "message": endpoint.message,
        "replicas": [_replica(replica) for replica in there if replica.ready],
        "starting": sum(not replica.ready for replica in there),
        "gauges_of": spec.runtime.value if spec.scaling and spec.scaling.cache_percent else "",
        "starting_ms": min((r.queued_ms for r in there if not r.ready), default=0),
        "start_ms": endpoint.start.total_ms if endpoint.start else 0,
        "min": spec.replicas_min,
        "max": spec.replicas_max,
        "revisions": _revisions(endpoint),
    }


def _revisions(endpoint: Endpoint) -> list[dict[str, int]]:
    """Both revisions of a rollout, the new one first: then a session that is on its side stays there."""
    rollout = endpoint.rollout
    if rollout is None:
        return []
    new, old = endpoint.generations
    weights = ((new, rollout.weight), (old, WHOLE - rollout.weight))
    return [
        {
            "generation": generation,
            "weight": weight,
            "concurrency": endpoint.spec_of(generation).concurrency,
        }
        for generation, weight in weights
    ]


def _allowance(allowance: Allowance) -> dict[str, int]:
    return asdict(allowance) if allowance.limits else {}


def _replica(replica: Replica) -> dict[str, Any]:
    attempt = replica.attempt
    assert attempt is not None
    address = attempt.ranks[0].address
    return {
        "id": replica.id,
        "host": address,
        "port": attempt.port,
        "ready": True,
        "generation": replica.generation,
    }
