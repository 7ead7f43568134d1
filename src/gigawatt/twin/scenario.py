"""Scenario files: a site, a workload, a policy, and what goes wrong; as TOML, with errors that name the field."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gigawatt.model.gang import Shape
from gigawatt.model.quota import NO_ENTITLEMENT, Entitlement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.reconcile.entitlements import check_entitlement
from gigawatt.scheduler.policy import POLICIES
from gigawatt.spec.faults import faults_of, nearest, refusal, wrong
from gigawatt.spec.fields import Name
from gigawatt.spec.quota import QuotaRequest
from gigawatt.spec.units import UnitError, duration_ms, size_bytes
from gigawatt.twin.cluster import groups_of
from gigawatt.twin.failures import FailureRate, Failures
from gigawatt.twin.machines import Timing
from gigawatt.twin.run import Scenario
from gigawatt.twin.site import build_site
from gigawatt.twin.synthetic import Size, Synthetic, synthetic_works
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, mapping_of, read_table
from gigawatt.twin.work import Work

JOBS_MAX = 10_000_000
PROJECTS_MAX = 100_000


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
    same: Literal["", "nvlink", "rack", "leaf", "spine"] = ""


class WorkloadForm(_Form):
    """Either a trace, or jobs that are drawn."""

    trace: str = ""
    format: Literal["swf", "philly", "csv"] = "swf"
    map: dict[str, str] = {}
    jobs: int = Field(default=0, ge=0, le=JOBS_MAX)
    gap: Duration = 60_000
    run_median: Duration = 600_000
    run_p90: Duration = 7_200_000
    limit_factor: float = Field(default=3.0, ge=0, le=1000)
    projects: int = Field(default=1, ge=1, le=100_000)
    sizes: list[SizeForm] = Field(default=[], max_length=1000)


class FailuresForm(_Form):
    mean_between: Duration = Field(ge=60_000)
    repair: Duration = Field(default=3_600_000, ge=1_000)


class ProjectForm(QuotaRequest):
    """A project and what it is entitled to; those that it is part of come before it."""

    name: Name


class ScenarioForm(_Form):
    policy: str = "default"
    seed: int = Field(default=0, ge=0, le=1 << 62)
    startup: Duration = 0
    checkpoint: Duration = 0
    nodes: Any = None
    workload: WorkloadForm
    failures: FailuresForm | None = None
    projects: list[ProjectForm] = Field(default=[], max_length=PROJECTS_MAX)


def read_scenario(file: Path, *, check: bool = True, estimates: bool = False) -> Scenario:
    """A scenario as its file says. Raises RefusalError."""
    form = _parsed(file)
    if form.policy not in POLICIES:
        hint = nearest(form.policy, POLICIES)
        detail = f"{file}: there is no policy {form.policy}"
        raise RefusalError(RefusalCode.INVALID, detail, field="policy", hint=hint)
    nodes = build_site(*groups_of(form.nodes, str(file)))
    ids = [node.id for node in nodes]
    failures = None
    if form.failures is not None:
        rate = FailureRate(
            mean_between_ms=form.failures.mean_between, repair_ms=form.failures.repair
        )
        failures = Failures(ids, rate, seed=form.seed)
    node_gpus = max(len(node.gpus) for node in nodes)
    return Scenario(
        nodes=nodes,
        workload=_works(file, form, node_gpus),
        policy=POLICIES[form.policy],
        policy_name=form.policy,
        timing=Timing(startup_ms=form.startup, checkpoint_ms=form.checkpoint),
        failures=failures,
        check=check,
        estimates=estimates,
        projects=_projects(file, form),
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


def _works(file: Path, form: ScenarioForm, node_gpus: int) -> tuple[Work, ...]:
    workload = form.workload
    if workload.trace:
        trace = file.parent / workload.trace
        if workload.format == "swf":
            return read_swf(trace, jobs_max=workload.jobs).works
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
    synthetic = Synthetic(
        jobs=workload.jobs,
        gap_ms=workload.gap,
        run_median_ms=workload.run_median,
        run_p90_ms=workload.run_p90,
        limit_factor=workload.limit_factor,
        projects=workload.projects,
        sizes=tuple(Size(weight=each.weight, shape=_shape(each)) for each in workload.sizes),
    )
    return tuple(synthetic_works(synthetic, seed=form.seed))


def _shape(form: SizeForm) -> Shape:
    amounts = Resources(
        milli_gpu=1000 * form.gpus, milli_cpu=round(1000 * form.cpus), memory_bytes=form.memory
    )
    return Shape(nodes_min=form.nodes, nodes_max=form.nodes, per_node=amounts, same=form.same)
