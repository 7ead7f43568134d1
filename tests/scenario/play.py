"""A scenario: a small cluster and line in TOML, played cycle by cycle, with what was decided as text.

title = "what this shows"

[policy]                      # fields of gigawatt.scheduler.policy.Policy
hold_after_ms = 600000

[[node]]
ids = ["n1", "n2"]            # one row makes a node for each id
gpus = 4                      # also kind, cpus, memory (GiB), place ("site/hall/spine/leaf/rack/nvlink")

[[job]]
id = "train"
nodes = 2                     # or [2, 4]; also milli_gpu, milli_cpu, memory (GiB), kinds, same
priority = 5                  # also isolation, suspects, project, timeout_s, deadline_s (since the start)
segment = [2, "rack"]         # also spares

[[project]]
name = "vision"
quota = {h100 = 4}            # GPUs by kind, that it may not go beyond

[[reservation]]
id = "fans"                   # also holder
nodes = ["n1"]
start_s = 600
end_s = 1200

[[cycle]]
at_s = 0                      # since the start
submit = ["train"]            # jobs that join the line
end = []                      # jobs whose attempt ends, and with it the job
[cycle.state]
n1 = "cordoned"               # nodes whose state changes
"""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.change import Entity
from gigawatt.model.decision import Decision, Start, Wait
from gigawatt.model.gang import Isolation, Segment
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import NodeState
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.reservation import Reservation
from gigawatt.model.tenant import DEFAULT_TENANT, Project
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.explain import CheapestChange, explain
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import dump
from gigawatt.scheduler.snapshot import Snapshot
from tests.scenario.build import (
    NOW_MS,
    apply_starts,
    failed_on,
    make_job,
    make_node,
    make_shape,
)

SCENARIOS = Path(__file__).parent / "scenarios"
JOB_FIELDS = ("priority", "project", "tenant", "timeout_s")


def play(path: Path) -> str:
    """What is decided in each cycle of a scenario file, as the text that its golden file holds."""
    return Stage(tomllib.loads(path.read_text())).play()


@dataclass
class Stage:
    """A scenario being played: every change goes to the world and to the encoder."""

    script: dict[str, Any]

    def __post_init__(self) -> None:
        script = self.script
        self.title: str = script.pop("title")
        self.policy = Policy(**script.pop("policy", {}))
        self.world = World(epoch=1)
        self.encoder = Encoder()
        self.resume = ""
        for row in script.pop("node"):
            for node in row.pop("ids"):
                self.put(make_node(node, **row))
        for row in script.pop("project", []):
            self.put(a_project(**row))
        for row in script.pop("reservation", []):
            self.put(a_reservation(**row))
        self.jobs = {row["id"]: row for row in script.pop("job")}
        self.cycles: list[dict[str, Any]] = script.pop("cycle")
        assert not script, f"unknown: {sorted(script)}"

    def play(self) -> str:
        return "\n".join([self.title, *(line for row in self.cycles for line in self.cycle(row))])

    def cycle(self, row: dict[str, Any]) -> list[str]:
        at_s: int = row.pop("at_s")
        now_ms = NOW_MS + 1000 * at_s
        for node, state in row.pop("state", {}).items():
            self.put(replace(self.world.nodes[node], state=NodeState(state)))
        for job in row.pop("end", []):
            self.end(self.world.jobs[job], now_ms)
        for job in row.pop("submit", []):
            self.put(submitted(self.jobs[job], now_ms))
        assert not row, f"unknown: {sorted(row)}"
        snapshot = self.encoder.snapshot(now_ms, resume=self.resume)
        cold = encode_cold(self.world, now_ms, resume=self.resume)
        assert dump(snapshot, self.policy) == dump(cold, self.policy)
        decision = decide(snapshot, self.policy)
        self.resume = decision.resume
        for work in apply_starts(self.world, decision):
            self.encoder.apply(work)
        after = self.encoder.snapshot(now_ms, resume=self.resume)
        return ["", f"at {at_s} s", *self.told(after, decision)]

    def told(self, after: Snapshot, decision: Decision) -> list[str]:
        """The decision, and what is explained to who asks once it is carried out."""
        lines = [started(start) for start in decision.starts]
        for wait in decision.waits:
            why = explain(after, wait.gang, self.policy)
            assert why
            # The next cycle goes on where this one's work ended, so it may get to other gangs.
            same = (why.reason, why.position) == (wait.reason, wait.position)
            assert same or decision.resume
            lines += waited(wait, why.cheapest_change)
        return lines or ["  nothing"]

    def put(self, entity: Entity) -> None:
        self.world.put(entity)
        self.encoder.apply(entity)

    def end(self, job: Job, now_ms: int) -> None:
        assert job.attempt, f"{job.id} does not run"
        attempt = job.attempt.moved(AttemptPhase.ENDED)
        ended = replace(job.with_attempt(attempt), phase=JobPhase.SUCCEEDED, ended_ms=now_ms)
        self.put(ended)


def a_project(name: str, quota: dict[str, int]) -> Project:
    bounds = Bounds(kinds=tuple(sorted((kind, 1000 * gpus) for kind, gpus in quota.items())))
    return Project(
        id=f"{DEFAULT_TENANT}/{name}",
        tenant=DEFAULT_TENANT,
        name=name,
        created_ms=0,
        entitlement=Entitlement(quota=bounds, borrows=False),
    )


def a_reservation(
    id: str, nodes: list[str], start_s: int, end_s: int, holder: str = ""
) -> Reservation:
    return Reservation(
        id=id,
        created_ms=0,
        nodes=tuple(sorted(nodes)),
        start_ms=NOW_MS + 1000 * start_s,
        end_ms=NOW_MS + 1000 * end_s,
        holder=holder and f"{DEFAULT_TENANT}/{holder}",
    )


def submitted(row: dict[str, Any], now_ms: int) -> Job:
    row = dict(row)
    fields = {name: row.pop(name) for name in JOB_FIELDS if name in row}
    fields["isolation"] = Isolation(row.pop("isolation", "process"))
    name, suspects, nodes = row.pop("id"), row.pop("suspects", []), row.pop("nodes", 1)
    count: int | tuple[int, int] = nodes if isinstance(nodes, int) else (nodes[0], nodes[1])
    if "deadline_s" in row:
        fields["deadline_ms"] = NOW_MS + 1000 * row.pop("deadline_s")
    segment, spares = row.pop("segment", None), row.pop("spares", 0)
    shape = replace(make_shape(count, **row), spares=spares)
    if segment:
        shape = replace(shape, segment=Segment(nodes=segment[0], level=segment[1]))
    job = make_job(name, shape, queued_ms=now_ms, **fields)
    return failed_on(job, suspects) if suspects else job


def started(start: Start) -> str:
    gpus = start.gpus[: len(start.nodes)] or ((),) * len(start.nodes)
    nodes = [
        node + (f"[{','.join(map(str, places))}]" if places else "")
        for node, places in zip(start.nodes, gpus, strict=True)
    ]
    spares = f" spares {' '.join(start.spares)}" if start.spares else ""
    return f"  start  {start.gang}: {' '.join(nodes)}{spares}"


def waited(wait: Wait, change: CheapestChange | None) -> list[str]:
    reason = wait.reason
    numbers = f" {reason.resource} need {reason.need} have {reason.have}" if reason.resource else ""
    detail = f" ({reason.detail})" if reason.detail else ""
    lines = [f"  wait {wait.position} {wait.gang}: {reason.code}{numbers}{detail}"]
    if change is not None:
        lines.append(f"         would start with {change.field} {change.before} -> {change.after}")
    return lines
