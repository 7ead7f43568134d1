"""Objects to store: one of every kind, and jobs by the dozen."""

from dataclasses import replace

from gigawatt.model.array import ArraySpec, JobArray
from gigawatt.model.artifact import AliasMove, Artifact, Lineage, ModelCard, ModelName, ModelVersion
from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, Progress, RankStatus, Verdict
from gigawatt.model.change import Batch, Entity, Receipt
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.endpoint import Demand, Endpoint, EndpointPhase, EndpointSpec, Replica
from gigawatt.model.environment import (
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.event import Event
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.ledger import LedgerEntry, NodeAccount, TimeClass
from gigawatt.model.ledger import Use as LedgerUse
from gigawatt.model.node import Gpu, Node, NodeReport, NodeState
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import (
    ApiKey,
    Grant,
    KeyUse,
    Project,
    Role,
    Tenant,
    User,
    UserKind,
)
from gigawatt.model.volume import Volume, VolumeKind, VolumeVersion
from gigawatt.model.workspace import Use, Workspace, WorkspacePhase, WorkspaceProgram, WorkspaceSpec
from tests.contract.store.standing_samples import standing

SHAPE = Shape(per_node=Resources(milli_cpu=500, memory_bytes=1 << 30))


def job(
    number: int,
    *,
    tenant: str = "acme",
    project: str = "nlp",
    name: str = "train",
    phase: JobPhase = JobPhase.QUEUED,
    after: tuple[str, ...] = (),
) -> Job:
    """Its id and its time of creation are made of the number."""
    return Job(
        id=f"job-{number:06d}",
        tenant=tenant,
        project=project,
        spec=JobSpec(
            name=name,
            command=("python", "train.py"),
            shape=SHAPE,
            environment="host",
            after=after,
        ),
        phase=phase,
        created_ms=1_000 + number,
        queued_ms=1_000 + number,
        submitted_by="ada",
    )


def job_with_history(number: int) -> Job:
    """Everything that a job can hold."""
    attempt = Attempt(
        n=1,
        phase=AttemptPhase.ENDED,
        nodes=("node-1",),
        ranks=(
            RankStatus(
                rank=0, node="node-1", pid=7, ended_ms=9, signal=9, last_lines=("ä\x00\n", "")
            ),
        ),
        epoch=3,
        placed_ms=5,
        verdict=Verdict.INFRASTRUCTURE,
        evidence=(Evidence(at_ms=9, what="signal", detail="SIGKILL", rank=0, node="node-1"),),
        resumed_from=Checkpoint(step=0, path="/c", at_ms=1),
    )
    return replace(
        job(number),
        attempts=(attempt,),
        progress=Progress(at_ms=8, step=4, loss=0.1 + 0.2, metrics=(("lr", 1e-300),)),
    )


def replica(number: int, *, endpoint: str = "ep-1", ended_ms: int | None = None) -> Replica:
    return Replica(
        id=f"rep-{number}",
        endpoint=endpoint,
        tenant="acme",
        project="nlp",
        shape=SHAPE,
        priority=100,
        queued_ms=number,
        ended_ms=ended_ms,
    )


def endpoint(number: int, *, phase: EndpointPhase = EndpointPhase.READY) -> Endpoint:
    return Endpoint(
        id=f"ep-{number}",
        tenant="acme",
        project="nlp",
        spec=EndpointSpec(
            name="chat",
            model="tiny:1",
            model_path="/m",
            served_name="chat",
            command=("serve",),
            shape=SHAPE,
            environment="host",
        ),
        phase=phase,
        created_ms=number,
        created_by="ada",
        demand=Demand(at_ms=4, requests=1 << 60),
    )


def api_key(number: int, *, revoked_ms: int | None = None) -> ApiKey:
    return ApiKey(
        id=f"key-{number}",
        tenant="acme",
        project="",
        name="laptop",
        role=Role.DEVELOPER,
        prefix="gw-1",
        sha256="ab" * 32,
        created_ms=number,
        created_by="ada",
        revoked_ms=revoked_ms,
    )


def model_version(number: int, *, name: str = "tiny") -> ModelVersion:
    return ModelVersion(
        id=f"mv-{name}-{number}",
        tenant="acme",
        project="nlp",
        name=name,
        number=number,
        digest="sha256:" + "0" * 64,
        size_bytes=1 << 40,
        created_ms=number,
        created_by="ada",
        lineage=Lineage(job="job-1", attempt=2, step=None),
        metrics=(("loss", 1.0), ("accuracy", float("inf"))),
    )


def array(number: int, *, phase: JobPhase = JobPhase.RUNNING) -> JobArray:
    """Everything that an array can hold."""
    indices = ((0, 9), (12, 12))
    return JobArray(
        id=f"array-{number:06d}",
        tenant="acme",
        project="nlp",
        spec=job(0, name="sweep").spec,
        tasks=ArraySpec(
            indices=indices, parallel=2, max_failures=3, sweep=(("LR", ("0.1", "0.2")),)
        ),
        phase=phase,
        created_ms=1_000 + number,
        submitted_by="ada",
        pending=((4, 9), (12, 12)),
        running=((2, 3),),
        succeeded=((0, 0),),
        failed=((1, 1),),
        again=((5, 5),),
        ending=JobPhase.CANCELLED,
        message="cancelled by ada",
    )


def one_of_every_kind() -> tuple[Entity, ...]:
    return (
        array(1),
        job_with_history(1),
        endpoint(1),
        replica(1),
        workspace(),
        environment(),
        node(),
        node_account(),
        artifact(),
        model_version(1),
        model_name(),
        alias_move(1),
        model_card(1),
        volume(),
        volume_version(1),
        Tenant(id="acme", created_ms=1),
        Project(id="acme/nlp", tenant="acme", name="nlp", created_ms=1),
        api_key(1),
        a_user(),
        KeyUse(id="key-1", tenant="acme", project="", used_ms=7, addresses=("10.0.0.1", "::1")),
        *standing(job(1).spec, environment()),
    )


def a_user() -> User:
    return User(
        id="acme/ada",
        tenant="acme",
        name="ada",
        kind=UserKind.PERSON,
        created_ms=1,
        created_by="root",
        email="ada@acme.example",
        grants=(Grant(project="", role=Role.AUDITOR), Grant(project="nlp", role=Role.DEVELOPER)),
        disabled_ms=3,
    )


def workspace() -> Workspace:
    return Workspace(
        id="ws-1",
        tenant="acme",
        project="nlp",
        spec=WorkspaceSpec(
            name="lab",
            program=WorkspaceProgram.JUPYTER,
            shape=SHAPE,
            environment="host",
            tools="env-1",
            home="/homes/lab",
        ),
        phase=WorkspacePhase.RUNNING,
        created_ms=1,
        queued_ms=2,
        created_by="ada",
        attempts=job_with_history(1).attempts,
        use=Use(at_ms=3, milli_cpu=4),
    )


def environment() -> Environment:
    return Environment(
        id="env-1",
        tenant="acme",
        project="nlp",
        spec=EnvironmentSpec(kind=EnvironmentKind.UV, requirements=("torch",)),
        phase=EnvironmentPhase.BUILDING,
        created_ms=1,
    )


def node() -> Node:
    report = NodeReport(
        id="node-1",
        total=SHAPE.per_node,
        topology=("", "", "", "", "rack-1", "", "node-1"),
        address="127.0.0.1",
        gpus=(Gpu(uuid="GPU-1", index=0, kind="H100", memory_bytes=80 << 30),),
    )
    return Node(id="node-1", state=NodeState.CORDONED, reason="dust", report=report, changed_ms=1)


def node_account() -> NodeAccount:
    use = LedgerUse(
        gang="job-1",
        attempt=1,
        tenant="acme",
        project="nlp",
        units=500,
        time_class=TimeClass.USEFUL,
    )
    return NodeAccount(
        id="node-1",
        unit="milli_core_ms",
        installed=2000,
        rest_class=TimeClass.IDLE,
        installed_ms=1,
        accounted_to_ms=2,
        uses=(use,),
    )


def artifact() -> Artifact:
    return Artifact(
        digest="sha256:" + "1" * 64,
        tenant="acme",
        project="nlp",
        kind="bundle",
        size_bytes=1,
        files=1,
        created_ms=1,
        created_by="ada",
    )


def model_name() -> ModelName:
    return ModelName(
        id="acme/nlp/tiny",
        tenant="acme",
        project="nlp",
        name="tiny",
        newest=2,
        aliases=(("prod", 1),),
        updated_ms=1,
    )


def event(
    number: int, *, kind: str = "job.queued", tenant: str = "acme", subject: str = "job-1"
) -> Event:
    return Event(
        at_ms=number,
        kind=kind,
        tenant=tenant,
        project="nlp",
        subject=subject,
        message=f"the {number}th",
        data=(("attempt", str(number)), ("odd", "\x00ü")),
    )


def receipt(number: int, *, tenant: str = "acme", at_ms: int = 0) -> Receipt:
    return Receipt(
        tenant=tenant,
        key=f"key-{number}",
        request_sha256="cd" * 32,
        status=201,
        body='{"kind": "Job", "id": "job-1"}',
        at_ms=at_ms,
    )


def entry(unit_ms: int, time_class: TimeClass = TimeClass.USEFUL, **changes: str) -> LedgerEntry:
    made = LedgerEntry(
        at_ms=10,
        node="node-1",
        unit="milli_core_ms",
        time_class=time_class,
        unit_ms=unit_ms,
        tenant="acme",
        project="nlp",
        gang="job-1",
        attempt=1,
    )
    return replace(made, **changes)


def batch_of(*puts: Entity) -> Batch:
    return Batch(puts=list(puts))


def alias_move(number: int, *, alias: str = "prod") -> AliasMove:
    return AliasMove(
        id=f"acme/nlp/tiny#{number:08d}",
        tenant="acme",
        project="nlp",
        name="tiny",
        alias=alias,
        before=number - 1,
        after=number,
        at_ms=number,
        by="ada",
        reason="it is better",
    )


def volume() -> Volume:
    return Volume(
        id="acme/nlp/corpus",
        tenant="acme",
        project="nlp",
        name="corpus",
        kind=VolumeKind.MANAGED,
        created_ms=1,
        created_by="ada",
        quota_bytes=1 << 40,
        newest=3,
        gone=(2,),
    )


def volume_version(number: int) -> VolumeVersion:
    return VolumeVersion(
        id=volume().version_id(number),
        tenant="acme",
        project="nlp",
        name="corpus",
        number=number,
        digest="sha256:" + "1" * 64,
        size_bytes=10,
        files=1,
        created_ms=number,
        created_by="ada",
    )


def model_card(number: int) -> ModelCard:
    return ModelCard(
        id=f"acme/nlp/tiny!{number:08d}",
        tenant="acme",
        project="nlp",
        name="tiny",
        number=3,
        text="# Tiny\n",
        at_ms=number,
        by="ada",
    )
