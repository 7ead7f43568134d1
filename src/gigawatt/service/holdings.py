"""Everything that an instance holds and might remove, with who refers to what: what a plan is made of.

The files are looked at before the records: what a request that is under way has put on disk is then younger than its
record, never older, so that files without a record are what nobody wants any more.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gigawatt.model.array import JobArray
from gigawatt.model.artifact import Artifact, ModelVersion
from gigawatt.model.change import Entity
from gigawatt.model.endpoint import Endpoint, EndpointPhase, Replica
from gigawatt.model.environment import HOST, Environment, EnvironmentPhase
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.refusal import RefusalError
from gigawatt.model.retention import Kind
from gigawatt.model.schedule import Schedule, SchedulePhase
from gigawatt.model.template import TemplateVersion
from gigawatt.model.volume import Mount, Volume, VolumeKind, VolumeVersion, data_of
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.rank.call import CALL
from gigawatt.reconcile.prune_plan import Item, Ref
from gigawatt.service.ports import Found, Premises
from gigawatt.service.submissions import artifact_key
from gigawatt.store.base import Query, Store

E = TypeVar("E", bound=Entity)

PAGE = 500
TREES = frozenset({"tree", "model"})
DIGEST = re.compile(r"sha256:[0-9a-f]{64}(?![0-9a-f])")
RETRIED = frozenset({JobPhase.FAILED, JobPhase.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """`entities` are the records behind items that have one. `trouble` says why contents are not among the items."""

    items: tuple[Item, ...]
    entities: dict[Ref, Entity]
    trouble: str = ""


def gather(store: Store, premises: Premises, *, contents: bool = True) -> Holdings:
    """Look at everything. Blocks, and reads the whole store: for passes that are far apart.

    Without `contents`, not at the bytes of artifacts. Where it cannot be told what of them is needed, none is an item.
    """
    gathering = _Gathering(premises=premises, found={})
    trouble = gathering.look(contents=contents)
    _each(store, JobArray, gathering.array)
    _each(store, Job, gathering.job)
    _each(store, Replica, gathering.replica)
    _each(store, Endpoint, gathering.endpoint)
    _each(store, Workspace, gathering.workspace)
    _each(store, ModelVersion, gathering.version)
    _each(store, Volume, gathering.volume)
    _each(store, VolumeVersion, gathering.dataset)
    _each(store, Artifact, gathering.artifact)
    _each(store, Environment, gathering.environment)
    _each(store, Schedule, gathering.schedule)
    _each(store, TemplateVersion, gathering.template)
    trouble = trouble or gathering.unread()
    if trouble:
        gathering.leave_contents()
    gathering.leftovers()
    items = tuple(gathering.items.values())
    return Holdings(items=items, entities=gathering.entities, trouble=trouble)


def _each(store: Store, kind: type[E], take: Callable[[E], None]) -> None:
    cursor = ""
    while True:
        page = store.page(kind, Query(limit=PAGE, cursor=cursor))
        for entity in page.items:
            take(entity)
        cursor = page.next
        if not cursor:
            return


@dataclass(slots=True, kw_only=True)
class _Gathering:
    premises: Premises
    found: dict[Ref, Found]
    items: dict[Ref, Item] = field(default_factory=dict[Ref, Item])
    entities: dict[Ref, Entity] = field(default_factory=dict[Ref, Entity])
    trees: set[str] = field(default_factory=set[str])
    files: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    live_arrays: set[str] = field(default_factory=set[str])
    datasets: dict[str, Volume] = field(default_factory=dict[str, Volume])  # by version

    def look(self, *, contents: bool) -> str:
        """At what is on disk and elsewhere. Why contents could not be looked at; empty where they were."""
        trouble = ""
        try:
            found = self.premises.contents() if contents else ()
        except RefusalError as refusal:
            found, trouble = (), refusal.detail
        for each in (*found, *self.premises.survey()):
            self.found[each.kind, each.id] = each
        return trouble

    def unread(self) -> str:
        """Why it cannot be told what a tree that is on record needs; empty where it can of each."""
        if not any(found.kind is Kind.CONTENTS for found in self.found.values()):
            return ""
        for digest in sorted(self.trees):
            try:
                self.files[digest] = self.premises.files_of(digest)
            except RefusalError as refusal:
                return f"contents stay, as the files of {digest} cannot be told: {refusal.detail}"
        return ""

    def leave_contents(self) -> None:
        self.found = {
            ref: each for ref, each in self.found.items() if each.kind is not Kind.CONTENTS
        }

    def array(self, array: JobArray) -> None:
        """An array that lives keeps what its tasks to come are made of."""
        refers = [*_made_of(array.tenant, array.spec.environment, array.spec.bundle)]
        if not array.ended:
            self.live_arrays.add(array.id)
            refers += [*_named(array), *_caches(array.spec.bundle, "")]
            refers += _data(array.tenant, array.spec.volumes)
            refers += [(Kind.JOBS, earlier) for earlier in array.spec.after]
            if array.spec.origin is not None:
                refers.append((Kind.CHECKPOINTS, array.spec.origin.job))
        self._put(
            Item(
                kind=Kind.JOBS,
                id=array.id,
                tenant=array.tenant,
                project=array.project,
                used_ms=array.ended_ms or array.created_ms,
                pinned="" if array.ended else f"array {array.id} is {array.phase.value}",
                refers=tuple(refers),
            ),
            array,
        )

    def job(self, job: Job) -> None:
        ref = (Kind.JOBS, job.id)
        used_ms = job.ended_ms or job.created_ms
        live = "" if job.ended else f"job {job.id} is {job.phase.value}"
        if job.array in self.live_arrays:
            live = f"array {job.array} is live"
        refers = [*_made_of(job.tenant, job.spec.environment, job.spec.bundle), *_named(job)]
        if not job.ended:
            refers += [(Kind.JOBS, earlier) for earlier in job.spec.after]
            refers += _caches(job.spec.bundle, "")
            refers += _data(job.tenant, job.spec.volumes)
        if not job.ended or job.phase in RETRIED:
            refers.append((Kind.CHECKPOINTS, job.id))
            if job.spec.origin is not None:
                refers.append((Kind.CHECKPOINTS, job.spec.origin.job))
        elif any(name == CALL for name, _ in job.spec.env):
            refers.append((Kind.CHECKPOINTS, job.id))  # what the function returned is beside them
        self._put(
            Item(
                kind=Kind.JOBS,
                id=job.id,
                tenant=job.tenant,
                project=job.project,
                used_ms=used_ms,
                pinned=live,
                refers=tuple(refers),
            ),
            job,
        )
        for kind in (Kind.LOGS, Kind.CHECKPOINTS):
            self._left_by(job, Item(kind=kind, id=job.id, used_ms=used_ms, pinned=live, owner=ref))

    def replica(self, replica: Replica) -> None:
        live = "" if replica.ended_ms is not None else f"replica {replica.id} is live"
        used_ms = replica.ended_ms or replica.queued_ms
        self._left_by(replica, Item(kind=Kind.LOGS, id=replica.id, used_ms=used_ms, pinned=live))
        if live and replica.volumes:
            self._user("replica", replica.id, replica, _data(replica.tenant, replica.volumes))

    def endpoint(self, endpoint: Endpoint) -> None:
        if endpoint.phase is EndpointPhase.STOPPED:
            return
        spec = endpoint.spec
        refers = _made_of(endpoint.tenant, spec.environment, spec.bundle)
        refers += _caches(spec.bundle, spec.model_path.rpartition("/")[2])
        refers += _data(endpoint.tenant, spec.volumes)
        self._user("endpoint", spec.name, endpoint, refers)

    def schedule(self, schedule: Schedule) -> None:
        """What it will submit again."""
        if schedule.phase is SchedulePhase.DELETED:
            return
        spec = schedule.spec
        refers = _made_of(schedule.tenant, spec.environment, spec.bundle)
        refers += _said(schedule.tenant, *(value for _, value in spec.env), *spec.command)
        if spec.origin is not None:
            refers.append((Kind.CHECKPOINTS, spec.origin.job))
        self._user("schedule", schedule.name, schedule, refers)

    def template(self, version: TemplateVersion) -> None:
        """Its versions stay, with the code that they name; also a deleted one's, of which schedules may be made."""
        refers = _said(version.tenant, version.document)
        self._user("template", f"{version.name}@{version.number}", version, refers)

    def workspace(self, workspace: Workspace) -> None:
        """Suspended, it is there: it starts again with what it was made of. Its home is nobody's to prune."""
        deleted = workspace.phase is WorkspacePhase.DELETED
        used_ms = workspace.ended_ms or workspace.queued_ms
        live = "" if deleted else f"workspace {workspace.id} is there"
        logs = Item(kind=Kind.LOGS, id=workspace.id, used_ms=used_ms, pinned=live)
        self._left_by(workspace, logs)
        if not deleted:
            spec = workspace.spec
            refers = _made_of(workspace.tenant, spec.environment, spec.bundle)
            refers += _made_of(workspace.tenant, spec.tools, "")
            refers += _caches(spec.bundle, "")
            refers += _data(workspace.tenant, spec.volumes)
            self._user("workspace", spec.name, workspace, refers)

    def version(self, version: ModelVersion) -> None:
        """A registered model stays, and with it all that it came from."""
        lineage = version.lineage
        refers: list[Ref] = [
            (Kind.ARTIFACTS, artifact_key(version.tenant, version.digest)),
            (Kind.CONTENTS, version.digest),
            *_made_of(version.tenant, lineage.environment, lineage.bundle),
        ]
        if lineage.job:
            refers.append((Kind.JOBS, lineage.job))
        self.trees.add(version.digest)
        self._user("model", version.ref, version, refers)

    def volume(self, volume: Volume) -> None:
        """Those of its versions that are not deleted stay."""
        if volume.deleted_ms is None:
            numbers = (n for n in range(1, volume.newest + 1) if n not in volume.gone)
            self.datasets.update((volume.version_id(n), volume) for n in numbers)

    def dataset(self, version: VolumeVersion) -> None:
        """A version stays until somebody deletes it, and with it the job that pushed it."""
        if version.id not in self.datasets:
            return
        refers: list[Ref] = [
            (Kind.ARTIFACTS, artifact_key(version.tenant, version.digest)),
            (Kind.CONTENTS, version.digest),
        ]
        if version.job:
            refers.append((Kind.JOBS, version.job))
        if self.datasets[version.id].kind is VolumeKind.MANAGED:
            self.trees.add(version.digest)
        self._user("data", version.ref, version, refers)

    def artifact(self, artifact: Artifact) -> None:
        if artifact.kind in TREES:
            self.trees.add(artifact.digest)
        self._put(
            Item(
                kind=Kind.ARTIFACTS,
                id=artifact_key(artifact.tenant, artifact.digest),
                tenant=artifact.tenant,
                project=artifact.project,
                used_ms=artifact.created_ms,
                refers=((Kind.CONTENTS, artifact.digest),),
            ),
            artifact,
        )

    def environment(self, environment: Environment) -> None:
        there = self.found.pop((Kind.ENVIRONMENTS, environment.id), None)
        if environment.phase is EnvironmentPhase.REMOVED:
            return  # its files go already, and its lock stays for whoever asks
        building = environment.phase is EnvironmentPhase.BUILDING
        self._put(
            Item(
                kind=Kind.ENVIRONMENTS,
                id=environment.id,
                tenant=environment.tenant,
                project=environment.project,
                size_bytes=there.size_bytes if there else 0,
                used_ms=environment.last_used_ms,
                pinned="it is being built" if building else "",
            ),
            environment,
        )

    def leftovers(self) -> None:
        """Files that no record of their own speaks of."""
        for ref, found in self.found.items():
            refers: tuple[Ref, ...] = ()
            if found.kind is Kind.CONTENTS:
                refers = tuple((Kind.CONTENTS, each) for each in self.files.get(found.id, ()))
            self.items[ref] = Item(
                kind=found.kind,
                id=found.id,
                size_bytes=found.size_bytes,
                used_ms=found.used_ms,
                refers=refers,
            )

    def _left_by(self, owner: Job | Replica | Workspace, item: Item) -> None:
        """What is on disk of a gang, where anything is."""
        found = self.found.pop(item.ref, None)
        if found is not None:
            whole = Item(
                kind=item.kind,
                id=item.id,
                tenant=owner.tenant,
                project=owner.project,
                size_bytes=found.size_bytes,
                used_ms=item.used_ms,
                pinned=item.pinned,
                owner=item.owner,
            )
            self.items[whole.ref] = whole

    def _user(
        self,
        kind: str,
        name: str,
        entity: Endpoint
        | Replica
        | Workspace
        | ModelVersion
        | Schedule
        | TemplateVersion
        | VolumeVersion,
        refers: list[Ref],
    ) -> None:
        """What never goes, and keeps what it needs."""
        called = f"{entity.tenant}/{entity.project}/{name}"
        item = Item(kind=kind, id=called, pinned=f"{kind} {called} is there", refers=tuple(refers))
        self.items[item.ref] = item

    def _put(self, item: Item, entity: Entity) -> None:
        self.items[item.ref] = item
        self.entities[item.ref] = entity


def _made_of(tenant: str, environment: str, bundle: str) -> list[Ref]:
    refers: list[Ref] = []
    if environment not in {"", HOST}:
        refers.append((Kind.ENVIRONMENTS, environment))
    if bundle:
        refers.append((Kind.ARTIFACTS, artifact_key(tenant, bundle)))
        refers.append((Kind.CONTENTS, bundle))
    return refers


def _data(tenant: str, mounts: tuple[Mount, ...]) -> list[Ref]:
    """Of the versions that it mounts: what names their files, without which no node lays them out again."""
    refers: list[Ref] = []
    for digest, _ in data_of(mounts):
        refers += [(Kind.ARTIFACTS, artifact_key(tenant, digest)), (Kind.CONTENTS, digest)]
    return refers


def _named(job: Job | JobArray) -> list[Ref]:
    """Artifacts that its variables and its command name by digest, as calls of functions do."""
    return _said(job.tenant, *(value for _, value in job.spec.env), *job.spec.command)


def _said(tenant: str, *texts: str) -> list[Ref]:
    digests = dict.fromkeys(each for text in texts for each in DIGEST.findall(text))
    refers: list[Ref] = []
    for digest in digests:
        refers += [(Kind.ARTIFACTS, artifact_key(tenant, digest)), (Kind.CONTENTS, digest)]
    return refers


def _caches(bundle: str, tree: str) -> list[Ref]:
    refers: list[Ref] = []
    if bundle:
        refers.append((Kind.CACHES, f"bundles/{bundle.rpartition(':')[2]}"))
    if tree:
        refers.append((Kind.CACHES, f"trees/{tree}"))
    return refers
