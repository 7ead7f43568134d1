"""Scenario files: a site, a workload, a policy, and what goes wrong; as TOML, with errors that name the field."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gigawatt.model.gang import Shape
from gigawatt.model.node import NodeReport
from gigawatt.model.power import Feed
from gigawatt.model.quota import NO_ENTITLEMENT, Entitlement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.reservation import RESERVATIONS_MAX
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import DEFAULT_PROJECT
from gigawatt.reconcile.entitlements import check_entitlement
from gigawatt.spec.endpoint_form import ScalingForm
from gigawatt.spec.faults import faults_of, nearest, refusal, wrong
from gigawatt.spec.fields import Name
from gigawatt.spec.power import FeedRequest
from gigawatt.spec.quota import QuotaRequest
from gigawatt.spec.scaling import scaling_of
from gigawatt.spec.units import UnitError, duration_ms, size_bytes
from gigawatt.twin.cluster import groups_of
from gigawatt.twin.failures import (
    LLAMA3,
    Cause,
    DomainRate,
    FailureRate,
    Failures,
    Lemons,
    Repair,
)
from gigawatt.twin.happenings import Timing
from gigawatt.twin.named import named_policy
from gigawatt.twin.reserved import ReservedForm, reservations
from gigawatt.twin.run import Scenario
from gigawatt.twin.serving import AS_IT_IS, Diurnal, Load, Points
from gigawatt.twin.site import build_site
from gigawatt.twin.synthetic import Habits, Size, Synthetic, synthetic_works
from gigawatt.twin.traces.curve import read_curve
from gigawatt.twin.traces.journal import read_journal
from gigawatt.twin.traces.openb import read_openb
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, mapping_of, read_table
from gigawatt.twin.work import Work

JOBS_MAX = 10_000_000
PROJECTS_MAX = 100_000
FEEDS_MAX = 100_000
BETWEEN_MIN_MS = 60_000  # failures of one node


def _duration(value: object) -> int:
    try:
        return duration_ms(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


def _size(value: object) -> int:
    try:
        return size_bytes(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


Duration = Annotated[int, BeforeValidator(_duration), Field(ge=0, le=1 << 45)]
Bytes = Annotated[int, BeforeValidator(_size), Field(ge=0, le=1 << 60)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SizeForm(_Form):
    weight: float = Field(default=1.0, gt=0)
    nodes: int = Field(default=1, ge=1, le=1_000_000)
    gpus: int = Field(default=0, ge=0, le=4096)
    cpus: float = Field(default=1.0, ge=0, le=4096)
    memory: Bytes = 0
    same: Literal["", "nvlink", "rack", "leaf", "spine", "hall"] = ""


class WorkloadForm(_Form):
    """Either a trace, or jobs that are drawn."""

    trace: str = ""
    format: Literal["swf", "philly", "openb", "csv", "journal"] = "swf"
    map: dict[str, str] = {}
    jobs: int = Field(default=0, ge=0, le=JOBS_MAX)
    gap: Duration = 60_000
    run_median: Duration = 600_000
    run_p90: Duration = 7_200_000
    limit_factor: float = Field(default=3.0, ge=0, le=1000)
    projects: int = Field(default=1, ge=1, le=100_000)
    hours: list[Annotated[float, Field(ge=0)]] = Field(default=[], max_length=24)
    weekend: float = Field(default=1.0, ge=0, le=100)
    users: int = Field(default=0, ge=0, le=10_000)
    habit: float = Field(default=0.8, ge=0, le=1)
    round_limits: bool = False
    sizes: list[SizeForm] = Field(default=[], max_length=1000)


class RepairForm(_Form):
    repair: Duration = Field(default=3_600_000, ge=1_000)
    repair_p90: Duration = 0  # with it, lognormal; without, always `repair`

    def times(self) -> Repair:
        return Repair(median_ms=self.repair, p90_ms=max(self.repair, self.repair_p90))


class CauseForm(_Form):
    name: str = Field(min_length=1, max_length=100)
    weight: float = Field(gt=0, le=1e9)


class DomainForm(RepairForm):
    """Of a topology level, or of so many nodes in the order of the site."""

    name: str = Field(default="", max_length=100)
    level: Literal["", "nvlink", "rack", "leaf", "spine", "hall"] = ""
    nodes: int = Field(default=0, ge=0, le=1_000_000)
    mean_between: Duration = Field(ge=60_000)


class FailuresForm(RepairForm):
    mean_between: Duration = Field(default=0)  # of one node; 0: none fails alone
    causes: list[CauseForm] = Field(default=[], max_length=1000)
    lemons: float = Field(default=0.0, ge=0, le=1)
    lemon_factor: float = Field(default=10.0, ge=1, le=1e6)
    domains: list[DomainForm] = Field(default=[], max_length=100)


class ProjectForm(QuotaRequest):
    """A project and what it is entitled to; those that it is part of come before it."""

    name: Name


class FeedForm(FeedRequest):
    """A feed of the power tree; the one that carries it comes before it."""

    name: Name


class ServingForm(SizeForm):
    """Replicas of one endpoint; each is of the size that the form says."""

    name: Name
    project: Name = DEFAULT_PROJECT
    priority: int = Field(default=100, ge=-1_000_000, le=1_000_000)
    concurrency: int = Field(default=8, ge=1)
    scaling: ScalingForm | None = (
        None  # as in an endpoint's file; by the load of the moment where there is none
    )
    replicas_min: int = Field(default=0, ge=0, le=10_000)
    replicas_max: int = Field(ge=1, le=10_000)
    ready: Duration = 60_000
    step: Duration = Field(default=300_000, ge=1_000)
    duration: Duration = Field(default=7 * 86_400_000, ge=1_000)
    load: str = ""  # a CSV of times and requests in flight; without, a curve over the day
    least: float = Field(default=0.0, ge=0)
    most: float = Field(default=0.0, ge=0)
    peak: Duration = 54_000_000  # 15 h after the start of each day


class ScenarioForm(_Form):
    policy: str = "default"
    placement: str = ""
    seed: int = Field(default=0, ge=0, le=1 << 62)
    startup: Duration = 0
    restart: Duration | None = None
    checkpoint: Duration = 0
    save: Duration = 0
    save_when_told: bool = True
    stop: Duration = 0
    nodes: Any = None
    workload: WorkloadForm
    failures: FailuresForm | None = None
    serving: list[ServingForm] = Field(default=[], max_length=1000)
    projects: list[ProjectForm] = Field(default=[], max_length=PROJECTS_MAX)
    power: list[FeedForm] = Field(default=[], max_length=FEEDS_MAX)
    reservations: list[ReservedForm] = Field(default=[], max_length=RESERVATIONS_MAX)


def read_scenario(
    file: Path,
    *,
    check: bool = True,
    policy: str = "",
    placement: str = "",
    estimates: bool = False,
) -> Scenario:
    """A scenario as its file says, under another policy where one is named. Raises RefusalError."""
    form = _parsed(file)
    chosen = named_policy(policy or form.policy, placement or form.placement, where=str(file))
    nodes = build_site(*groups_of(form.nodes, str(file)))
    node_gpus = max(len(node.gpus) for node in nodes)
    return Scenario(
        nodes=nodes,
        workload=_works(file, form, node_gpus),
        policy=chosen.policy,
        policy_name=chosen.name,
        timing=Timing(
            startup_ms=form.startup,
            restart_ms=form.restart,
            checkpoint_ms=form.checkpoint,
            save_ms=form.save,
            saves_when_told=form.save_when_told,
            stop_ms=form.stop,
        ),
        failures=_failures(file, form, nodes),
        loads=_loads(file, form),
        check=check,
        estimates=estimates,
        projects=_projects(file, form),
        feeds=_feeds(file, form),
        reservations=reservations(file, form.reservations, nodes, [p.name for p in form.projects]),
    )


def _failures(file: Path, form: ScenarioForm, nodes: tuple[NodeReport, ...]) -> Failures | None:
    wanted = form.failures
    if wanted is None:
        return None
    if 0 < wanted.mean_between < BETWEEN_MIN_MS or not (wanted.mean_between or wanted.domains):
        detail = f"{file}: failures.mean_between must be at least a minute, or there must be [[failures.domains]]"
        raise RefusalError(RefusalCode.INVALID, detail, field="failures.mean_between")
    causes = tuple(Cause(name=each.name, weight=each.weight) for each in wanted.causes)
    rate = FailureRate(
        mean_between_ms=wanted.mean_between, repair=wanted.times(), causes=causes or LLAMA3
    )
    return Failures(
        nodes,
        rate if wanted.mean_between else None,
        domains=[_domain(file, place, each) for place, each in enumerate(wanted.domains)],
        lemons=Lemons(part=wanted.lemons, times=wanted.lemon_factor),
        seed=form.seed,
    )


def _loads(file: Path, form: ScenarioForm) -> tuple[Load, ...]:
    loads: list[Load] = []
    for place, each in enumerate(form.serving):
        field = f"serving[{place}]"
        if each.name in {load.name for load in loads}:
            detail = f"{file}: {field} is named {each.name}, as one before it"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.name")
        loads.append(_load(file, field, each))
    return tuple(loads)


def _load(file: Path, field: str, form: ServingForm) -> Load:
    if form.load:
        curve: Diurnal | Points = read_curve(file.parent / form.load)
    elif 0 < form.most >= form.least:
        curve = Diurnal(least=form.least, most=form.most, peak_ms=form.peak)
    else:
        detail = (
            f"{file}: {field} has neither a load nor a most that is above 0 and not below least"
        )
        raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.most")
    if form.replicas_min > form.replicas_max:
        detail = f"{file}: {field}.replicas_min is above replicas_max"
        raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.replicas_min")
    return Load(
        name=form.name,
        project=form.project,
        shape=_shape(form),
        curve=curve,
        concurrency=form.concurrency,
        scaling=scaling_of(form.scaling) or AS_IT_IS,
        replicas_min=form.replicas_min,
        replicas_max=form.replicas_max,
        priority=form.priority,
        ready_ms=form.ready,
        step_ms=form.step,
        until_ms=form.duration,
    )


def _domain(file: Path, place: int, form: DomainForm) -> DomainRate:
    if bool(form.level) == bool(form.nodes):
        field = f"failures.domains[{place}]"
        hint = 'allowed: level = "rack", or nodes = 36'
        detail = f"{file}: {field} needs either a level or a number of nodes"
        raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.level", hint=hint)
    return DomainRate(
        name=form.name or form.level or "domain",
        level=form.level,
        nodes=form.nodes,
        mean_between_ms=form.mean_between,
        repair=form.times(),
    )


def _parsed(file: Path) -> ScenarioForm:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        detail = f"cannot read {file}: {error.strerror}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        detail = f"{file} is not TOML: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, field="file") from error
    try:
        return ScenarioForm.model_validate(document)
    except ValidationError as error:
        raise refusal(faults_of(error, ScenarioForm)) from error


def _projects(file: Path, form: ScenarioForm) -> tuple[tuple[str, Entitlement], ...]:
    """Checked as a person's change would be: in a run nobody would see that it was refused."""
    known: dict[str, Entitlement] = {}
    for place, each in enumerate(form.projects):
        field = f"projects[{place}]"
        entitlement = each.changed(NO_ENTITLEMENT)
        if each.name in known:
            detail = f"{file}: project {each.name} is there twice"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.name")
        if entitlement.parent and entitlement.parent not in known:
            detail = f"{file}: project {each.name} is part of {entitlement.parent}, which does not come before it"
            hint = nearest(entitlement.parent, known)
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.parent", hint=hint)
        try:
            check_entitlement(entitlement)
        except RefusalError as refused:
            detail = f"{file}: project {each.name}: {refused.detail}"
            raise RefusalError(
                refused.code, detail, field=f"{field}.{refused.field}", hint=refused.hint
            ) from refused
        known[each.name] = entitlement
    return tuple(known.items())


def _feeds(file: Path, form: ScenarioForm) -> tuple[Feed, ...]:
    known: dict[str, Feed] = {}
    for place, each in enumerate(form.power):
        field = f"power[{place}]"
        parent, cap, supplies = each.changed(None)
        if each.name in known:
            detail = f"{file}: feed {each.name} is there twice"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.name")
        if parent and parent not in known:
            detail = f"{file}: feed {each.name} is part of {parent}, which does not come before it"
            hint = nearest(parent, known)
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.parent", hint=hint)
        known[each.name] = Feed(
            id=each.name, created_ms=0, parent=parent, cap_milliwatts=cap, supplies=supplies
        )
    return tuple(known.values())


def _works(file: Path, form: ScenarioForm, node_gpus: int) -> tuple[Work, ...]:
    workload = form.workload
    if workload.trace:
        trace = file.parent / workload.trace
        if workload.format == "swf":
            return read_swf(trace, jobs_max=workload.jobs).works
        if workload.format == "journal":
            return read_journal(trace, jobs_max=workload.jobs).works
        if workload.format == "openb":
            return read_openb(trace, jobs_max=workload.jobs).works
        pairs = tuple(f"{field}={column}" for field, column in workload.map.items())
        columns = PHILLY if workload.format == "philly" else mapping_of(pairs)
        mapped = Mapped(columns=columns, node_gpus=node_gpus)
        return read_table(trace, mapped, jobs_max=workload.jobs).works
    if not (workload.jobs and workload.sizes):
        hint = "name a trace, or say jobs and [[workload.sizes]]"
        detail = f"{file}: workload has neither a trace nor jobs and sizes"
        raise RefusalError(RefusalCode.INVALID, detail, field="workload", hint=hint)
    if not 0 < workload.run_median <= workload.run_p90:
        detail = f"{file}: workload.run_median must be above 0 and not above workload.run_p90"
        raise RefusalError(RefusalCode.INVALID, detail, field="workload.run_median")
    if workload.hours and not (len(workload.hours) == 24 and sum(workload.hours)):
        detail = f"{file}: workload.hours must be 24 weights, not all 0"
        raise RefusalError(RefusalCode.INVALID, detail, field="workload.hours")
    synthetic = Synthetic(
        jobs=workload.jobs,
        gap_ms=workload.gap,
        run_median_ms=workload.run_median,
        run_p90_ms=workload.run_p90,
        limit_factor=workload.limit_factor,
        projects=workload.projects,
        hours=tuple(workload.hours),
        weekend=workload.weekend,
        habits=Habits(users=workload.users, part=workload.habit) if workload.users else None,
        round_limits=workload.round_limits,
        sizes=tuple(Size(weight=each.weight, shape=_shape(each)) for each in workload.sizes),
    )
    return tuple(synthetic_works(synthetic, seed=form.seed))


def _shape(form: SizeForm) -> Shape:
    amounts = Resources(
        milli_gpu=1000 * form.gpus, milli_cpu=round(1000 * form.cpus), memory_bytes=form.memory
    )
    return Shape(nodes_min=form.nodes, nodes_max=form.nodes, per_node=amounts, same=form.same)
