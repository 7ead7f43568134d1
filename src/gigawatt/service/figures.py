"""Figures that are read when someone asks for them: jobs, nodes, the ledger, endpoints, and how far live jobs are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt import clock
from gigawatt.model.attempt import Progress
from gigawatt.model.endpoint import Endpoint, EndpointPhase, Replica
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import Node, NodeState
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import KINDS, Resources
from gigawatt.reconcile.pressure import Level
from gigawatt.service.ledger import UNITS, Sums, read_sums
from gigawatt.service.ports import Leader
from gigawatt.service.services import Services
from gigawatt.store.base import LedgerQuery, Query, Store
from gigawatt.telemetry import names
from gigawatt.telemetry.metrics import Sample
from gigawatt.version import __version__

SERIES_JOBS_MAX = 200  # live jobs that have series of their own
QUEUED_MAX = 500  # queued jobs whose reasons are told apart
NODES_MAX = 1_000
ENDPOINTS_MAX = 500
REPLICAS_MAX = 1_000
LIVE = tuple(phase.value for phase in (JobPhase.STARTING, JobPhase.RUNNING, JobPhase.STOPPING))
OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What the store has; `sums` is None when the ledger changed too fast to be read whole."""

    jobs: Mapping[str, int]
    live: tuple[Job, ...]
    queued: tuple[Job, ...]
    nodes: tuple[Node, ...]
    endpoints: tuple[Endpoint, ...]
    replicas: tuple[Replica, ...]
    sums: Sums | None


async def figures(services: Services) -> list[Sample]:
    """Every sample that the store and the leader's memory give."""
    stored = await services.read(lambda: _read(services.store))
    return [
        Sample(metric=names.INFO, labels=(__version__,), value=1),
        Sample(metric=names.LEADER_EPOCH, value=services.leader.epoch),
        *_jobs(services.leader, stored),
        *_estimates(services.leader),
        *_nodes(services.leader, stored),
        *(_ledger(stored.sums) if stored.sums else ()),
        *_endpoints(stored),
        *_disk(services),
    ]


def _read(store: Store) -> _Stored:
    """Blocks."""
    try:
        sums = read_sums(store, LedgerQuery(), now_ms=clock.now_ms())
    except RefusalError:
        sums = None  # the next scrape will have it
    live_endpoints = tuple(each.value for each in EndpointPhase if each != EndpointPhase.STOPPED)
    queued = Query(phases=(JobPhase.QUEUED.value,), limit=QUEUED_MAX)
    return _Stored(
        jobs=store.count(Job, Query()),
        live=store.page(Job, Query(phases=LIVE, limit=SERIES_JOBS_MAX)).items,
        queued=store.page(Job, queued).items,
        nodes=store.page(Node, Query(limit=NODES_MAX)).items,
        endpoints=store.page(Endpoint, Query(phases=live_endpoints, limit=ENDPOINTS_MAX)).items,
        replicas=store.page(Replica, Query(live_only=True, limit=REPLICAS_MAX)).items,
        sums=sums,
    )


def _jobs(leader: Leader, stored: _Stored) -> list[Sample]:
    counts = stored.jobs
    samples = [
        Sample(metric=names.JOBS, labels=(phase.value,), value=counts.get(phase.value, 0))
        for phase in JobPhase
    ]
    for job in stored.live:
        samples += _progress(job, leader.progress(job.id) or job.progress)
    unshown = sum(counts.get(phase, 0) for phase in LIVE) - len(stored.live)
    samples.append(Sample(metric=names.JOBS_UNSHOWN, value=max(unshown, 0)))
    return samples + _waiting(leader, stored)


def _progress(job: Job, progress: Progress | None) -> list[Sample]:
    if progress is None:
        return []
    labels = (job.tenant, job.project, job.id, job.spec.name)
    values = (
        (names.JOB_STEP, progress.step),
        (names.JOB_LOSS, progress.loss),
        (names.JOB_TOKENS_PER_S, progress.tokens_per_s),
    )
    return [
        Sample(metric=metric, labels=labels, value=value)
        for metric, value in values
        if value is not None
    ]


def _waiting(leader: Leader, stored: _Stored) -> list[Sample]:
    reasons: Counter[str] = Counter()
    for job in stored.queued:
        waiting = leader.waiting(job.id)
        reasons[waiting[1].code.value if waiting else OTHER] += 1
    beyond = stored.jobs.get(JobPhase.QUEUED.value, 0) - len(stored.queued)
    if beyond > 0:
        reasons[OTHER] += beyond
    return [
        Sample(metric=names.JOBS_WAITING, labels=(reason,), value=count)
        for reason, count in sorted(reasons.items())
    ]


def _estimates(leader: Leader) -> list[Sample]:
    """How well starts were foretold; nothing more than their number before the first."""
    score = leader.score()
    samples = [Sample(metric=names.ESTIMATES_SCORED, value=score.count)]
    for quantile, covered in (("p50", score.coverage_p50), ("p90", score.coverage_p90)):
        if covered is not None:
            samples.append(
                Sample(metric=names.ESTIMATES_COVERED, labels=(quantile,), value=covered)
            )
    if score.pinball is not None:
        samples.append(Sample(metric=names.ESTIMATES_PINBALL, value=score.pinball))
    return samples


def _nodes(leader: Leader, stored: _Stored) -> list[Sample]:
    counts = Counter(node.state for node in stored.nodes)
    samples = [
        Sample(metric=names.NODES, labels=(state.value,), value=counts[state])
        for state in NodeState
    ]
    for node in stored.nodes:
        free = leader.free(node.id) or Resources()
        for kind, total, left in zip(KINDS, node.total.vector(), free.vector(), strict=True):
            labels = (node.id, kind)
            samples.append(Sample(metric=names.NODE_INSTALLED, labels=labels, value=total))
            samples.append(Sample(metric=names.NODE_FREE, labels=labels, value=left))
    return samples


def _disk(services: Services) -> list[Sample]:
    disk = services.disk
    now = disk.look()
    return [
        Sample(metric=names.DISK_FREE, value=disk.room.free_bytes),
        Sample(metric=names.DISK_TOTAL, value=disk.room.total_bytes),
        *(
            Sample(metric=names.DISK_PRESSURE, labels=(level.value,), value=int(level is now))
            for level in Level
        ),
    ]


def _ledger(sums: Sums) -> list[Sample]:
    samples: list[Sample] = []
    for unit in UNITS:
        if unit not in sums.installed:
            continue
        installed = sums.installed[unit]
        samples.append(Sample(metric=names.LEDGER_INSTALLED, labels=(unit,), value=installed))
        samples += [
            Sample(metric=names.LEDGER, labels=(unit, time_class.value), value=amount)
            for time_class, amount in sums.of(unit).items()
        ]
    return samples


def _endpoints(stored: _Stored) -> list[Sample]:
    ready = Counter(replica.endpoint for replica in stored.replicas if replica.ready)
    return [
        sample
        for endpoint in stored.endpoints
        for sample in _endpoint(endpoint, ready=ready[endpoint.id])
    ]


def _endpoint(endpoint: Endpoint, *, ready: int) -> list[Sample]:
    labels = (endpoint.tenant, endpoint.project, endpoint.spec.name)
    samples = [
        Sample(
            metric=names.ENDPOINT_REPLICAS,
            labels=(*labels, "wanted"),
            value=endpoint.replicas_wanted,
        ),
        Sample(metric=names.ENDPOINT_REPLICAS, labels=(*labels, "ready"), value=ready),
    ]
    demand = endpoint.demand
    if demand is None:
        return samples
    prompt, completion = demand.prompt_tokens, demand.completion_tokens
    return [
        *samples,
        Sample(metric=names.ENDPOINT_IN_FLIGHT, labels=labels, value=demand.in_flight),
        Sample(metric=names.ENDPOINT_QUEUED, labels=labels, value=demand.queued),
        Sample(metric=names.ENDPOINT_REQUESTS, labels=labels, value=demand.requests),
        Sample(metric=names.ENDPOINT_TOKENS, labels=(*labels, "prompt"), value=prompt),
        Sample(metric=names.ENDPOINT_TOKENS, labels=(*labels, "completion"), value=completion),
    ]
