"""Lineage: what a version was made from, as far back as is on record, and which endpoints serve it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gigawatt.model.artifact import ModelVersion
from gigawatt.model.endpoint import Endpoint
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.tenant import Caller
from gigawatt.model.volume import VolumeVersion
from gigawatt.service.model_lookup import find_version
from gigawatt.service.permissions import sees, verb
from gigawatt.service.services import Services
from gigawatt.service.views.model import LineageEdgeView, LineageGraphView, LineageNodeView
from gigawatt.store.base import Query, Store

NODES_MAX = 200
ENDPOINTS_PAGE = 500
HOST = "host"


@verb
async def show(
    caller: Caller, services: Services, name: str, selector: str, *, project: str = ""
) -> LineageGraphView:
    """The graph around one version. Raises RefusalError (not-found)."""
    version = await find_version(caller, services, name, selector, project=project)
    return await services.read(lambda: _graph(caller, services.store, version))


@dataclass(slots=True, kw_only=True)
class _Graph:
    """What was found so far, in the order in which it was found."""

    nodes: dict[str, LineageNodeView] = field(default_factory=dict[str, LineageNodeView])
    edges: dict[LineageEdgeView, None] = field(default_factory=dict[LineageEdgeView, None])
    cut: bool = False

    def add(self, id: str, kind: str, label: str, **facts: object) -> str:
        told = {name: str(value) for name, value in facts.items() if value not in {"", None}}
        if id not in self.nodes and len(self.nodes) >= NODES_MAX:
            self.cut = True
        else:
            self.nodes.setdefault(id, LineageNodeView(id=id, kind=kind, label=label, facts=told))
        return id

    def link(self, source: str, target: str, relation: str) -> None:
        if source in self.nodes and target in self.nodes:
            self.edges[LineageEdgeView(source=source, target=target, relation=relation)] = None


def _graph(caller: Caller, store: Store, version: ModelVersion) -> LineageGraphView:
    """Blocks."""
    graph = _Graph()
    root = graph.add(
        f"model:{version.ref}",
        "model",
        version.ref,
        digest=version.digest,
        size_bytes=version.size_bytes,
        created_ms=version.created_ms,
        by=version.created_by,
    )
    _add_origin(graph, caller, store, version, root)
    _add_endpoints(graph, caller, store, version, root)
    return LineageGraphView(
        root=root,
        nodes=tuple(graph.nodes.values()),
        edges=tuple(graph.edges),
        cut=graph.cut,
    )


def _add_origin(
    graph: _Graph, caller: Caller, store: Store, version: ModelVersion, root: str
) -> None:
    lineage = version.lineage
    if lineage.source:
        graph.link(graph.add(f"source:{lineage.source}", "source", lineage.source), root, "is from")
    if lineage.checkpoint:
        place = graph.add(f"checkpoint:{lineage.checkpoint}", "checkpoint", lineage.checkpoint)
        graph.link(place, root, "continues")
    if not lineage.job:
        return
    waiting: deque[tuple[str, str, str]] = deque([(lineage.job, root, "was made by")])
    seen: set[str] = set()
    while waiting:
        job_id, target, relation = waiting.popleft()
        job = store.read(Job, job_id)
        if job is not None and not sees(caller, job.tenant, job.project, gang=job.id):
            continue
        attempt = lineage.attempt if job_id == lineage.job else None
        step = lineage.step if job_id == lineage.job else None
        node = _add_job(graph, job_id, job, attempt, step)
        graph.link(node, target, relation)
        if job_id in seen:
            continue
        seen.add(job_id)
        made_here = job_id == lineage.job
        bundle = lineage.bundle if made_here else job.spec.bundle if job else ""
        environment = lineage.environment if made_here else job.spec.environment if job else ""
        _add_inputs(graph, store, node, bundle, environment)
        if job is not None:
            waiting.extend(_add_data(graph, store, node, job))
        waiting.extend((earlier, node, "came after") for earlier in (job.spec.after if job else ()))


def _add_job(graph: _Graph, id: str, job: Job | None, attempt: int | None, step: int | None) -> str:
    if job is None:
        return graph.add(f"job:{id}", "job", id, attempt=attempt, step=step, phase="forgotten")
    made = job.model_version
    return graph.add(
        f"job:{id}",
        "job",
        job.spec.name,
        job=id,
        attempt=attempt if attempt is not None else len(job.attempts),
        step=step if step is not None else (job.progress.step if job.progress else None),
        phase=job.phase.value,
        model=made,
    )


def _add_inputs(graph: _Graph, store: Store, job: str, bundle: str, environment: str) -> None:
    if bundle:
        graph.link(graph.add(f"bundle:{bundle}", "bundle", bundle), job, "ran the code")
    if not environment:
        return
    built = None if environment == HOST else store.read(Environment, environment)
    packages = len(built.spec.requirements) if built else None
    python = built.spec.python if built else ""
    node = graph.add(
        f"environment:{environment}", "environment", environment, python=python, packages=packages
    )
    graph.link(node, job, "ran in")


def _add_data(graph: _Graph, store: Store, node: str, job: Job) -> Iterator[tuple[str, str, str]]:
    """What a job read. Versions that a job pushed lead on to that job."""
    for mount in job.spec.volumes:
        size = mount.size_bytes if mount.number else None
        data = graph.add(
            f"data:{job.tenant}/{job.project}/{mount.ref}",
            "data",
            mount.ref,
            digest=mount.digest,
            size_bytes=size,
            path=mount.source,
        )
        graph.link(data, node, "wrote and read" if mount.writable else "read")
        key = f"{job.tenant}/{job.project}/{mount.volume}:{mount.number:08d}"
        version = store.read(VolumeVersion, key) if mount.number else None
        if version is not None and version.job:
            yield version.job, data, "was pushed by"


def _add_endpoints(
    graph: _Graph, caller: Caller, store: Store, version: ModelVersion, root: str
) -> None:
    """An endpoint keeps what its reference meant: the version, and where that version's files are."""
    place = version.digest.partition(":")[2]
    cursor = ""
    while True:
        query = Query(tenant=version.tenant, limit=ENDPOINTS_PAGE, cursor=cursor, live_only=True)
        page = store.page(Endpoint, query)
        for endpoint in sorted(page.items, key=lambda each: (each.spec.name, each.id)):
            spec = endpoint.spec
            same = spec.model == version.ref and spec.model_path.rpartition("/")[2] == place
            if same and sees(caller, endpoint.tenant, endpoint.project):
                facts = {"endpoint": endpoint.id, "phase": endpoint.phase.value}
                node = graph.add(f"endpoint:{endpoint.id}", "endpoint", spec.name, **facts)
                graph.link(root, node, "serves")
        if not page.next:
            return
        cursor = page.next
