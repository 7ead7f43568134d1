"""A process of its own that speaks with Ray: `python -m gigawatt.engine.ray.envoy`, started by a scout.

Ray's library ends its process when its cluster is lost, so the control plane must not be that process. It is told what
to do in one line of JSON, puts a steward on every node, and says what each node is, a line each time that changes. It
ends with its standard input; on a line `end` it first takes its stewards away.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from ipaddress import ip_address
from typing import Any

from gigawatt.clock import monotonic_s
from gigawatt.engine.ray.facts import NODE_LABEL, node_name
from gigawatt.engine.ray.files import token_of
from gigawatt.engine.ray.steward import Order, Steward
from gigawatt.version import __version__

LOOK_S = 0.5  # between looks at Ray's nodes
FACTS_S = 2.0  # between questions to a steward
AGAIN_S = 2.0  # before a node on which something failed is tried again
START_S = 20.0  # for a steward to come, before it is told that it does not
NAMESPACE = "gigawatt"


class Post:
    """A steward on one node, and the question that it was asked."""

    def __init__(self, ray: Any, actor: Any, node: str) -> None:
        self.node = node
        self.actor = actor
        self._ray = ray
        self._asked = actor.facts.remote()
        self._asked_s = self._since_s = monotonic_s()
        self._told: dict[str, Any] | None = None
        self._warned = False

    def look(self) -> dict[str, Any] | None:
        """What is to be said now. Raises what Ray raises for an actor that is gone."""
        now_s = monotonic_s()
        if self._asked is None:
            if now_s - self._asked_s >= FACTS_S:
                self._asked, self._asked_s = self.actor.facts.remote(), now_s
            return None
        ready, _ = self._ray.wait([self._asked], timeout=0)
        if not ready:
            if now_s - self._asked_s < START_S or self._warned:
                return None
            self._warned = True
            return {"waits": self.node}
        asked, self._asked, self._warned = self._asked, None, False
        facts: dict[str, Any] = self._ray.get(asked)
        if facts == self._told:
            return None
        self._told = facts
        return {"facts": facts}


class Envoy:
    def __init__(self, ray: Any, task: Mapping[str, Any]) -> None:
        self._ray = ray
        self._task = task
        self._posts: dict[str, Post] = {}
        self._failed_s: dict[str, float] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while not self._ending.wait(LOOK_S):
            self._look()
        self._take_away()

    def _take_away(self) -> None:
        """Every steward of the instance, those of earlier envoys too."""
        ours = f"{self._task['instance']}/"
        for name in self._ray.util.list_named_actors():
            if name.startswith(ours):
                self._ray.kill(self._ray.get_actor(name))

    def _listen(self) -> None:
        for line in sys.stdin:
            if line.strip() == "end":
                self._ending.set()
                return
        os._exit(0)

    def _look(self) -> None:
        alive = {each["NodeID"]: each for each in self._ray.nodes() if self._is_ours(each)}
        for gone in set(self._posts) - set(alive):
            del self._posts[gone]
        for number, each in alive.items():
            if monotonic_s() < self._failed_s.get(number, 0) + AGAIN_S:
                continue
            try:
                if number not in self._posts:
                    self._check_name(node_name(each))
                    self._posts[number] = self._put(each)
                told = self._posts[number].look()
            except Exception as error:  # noqa: BLE001 - one node's failure, of whatever kind, is told and tried again
                self._posts.pop(number, None)
                self._failed_s[number] = monotonic_s()
                told = {"failed": node_name(each), "why": _first_words(error)}
            if told is not None:
                say(told)

    def _is_ours(self, ray_node: Mapping[str, Any]) -> bool:
        labels: Mapping[str, str] = ray_node.get("Labels") or {}
        wanted = self._task["nodes"] == "all" or NODE_LABEL in labels
        return bool(ray_node["Alive"] and wanted and ray_node["Resources"].get("CPU"))

    def _check_name(self, name: str) -> None:
        if any(post.node == name for post in self._posts.values()):
            raise ValueError("another node of the cluster has that name")

    def _put(self, ray_node: Mapping[str, Any]) -> Post:
        """All of its processors and GPUs are taken, so that Ray gives them to nobody else: they are ours to place."""
        affinity = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        name, resources = node_name(ray_node), ray_node["Resources"]
        order = self._order(name, ray_node)
        steward = self._ray.remote(Steward).options(
            name=f"{self._task['instance']}/{name}/{ray_node['NodeID'][:12]}",
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            num_cpus=resources["CPU"],
            num_gpus=resources.get("GPU", 0),
            scheduling_strategy=affinity(ray_node["NodeID"], soft=False),
        )
        return Post(self._ray, steward.remote(order), name)

    def _order(self, name: str, ray_node: Mapping[str, Any]) -> Order:
        resources = ray_node["Resources"]
        labels: Mapping[str, str] = ray_node.get("Labels") or {}
        return Order(
            node=name,
            ray=ray_node["NodeID"],
            host=self._host_of(ray_node),
            instance=self._task["instance"],
            token=token_of(self._task["secret"], name),
            orphan_s=self._task["orphan_s"],
            beacon=tuple(self._task["beacon"]),
            version=__version__,
            cpus=float(resources["CPU"]),
            gpus=int(resources.get("GPU", 0)),
            memory_bytes=int(resources.get("memory", 0)),
            labels=tuple(sorted(labels.items())),
        )

    def _host_of(self, ray_node: Mapping[str, Any]) -> str:
        """Where a supervisor listens. On a cluster of this machine alone that is the loopback, of which Ray makes another."""
        place = str(self._task["node_ip"])
        if place and ip_address(place).is_loopback:
            return place
        return str(ray_node["NodeManagerAddress"])


def say(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _first_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else repr(error))[:500]


def main() -> int:
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    ray: Any = import_module("ray")
    place = {"_node_ip_address": task["node_ip"]} if task["node_ip"] else {}
    try:
        ray.init(
            address=task["address"],
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            **place,
        )
    except Exception as error:  # noqa: BLE001 - whatever Ray raises, whoever started us is told why
        say({"error": _first_words(error)})
        return 1
    say({"connected": True})
    Envoy(ray, task).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
