"""A workspace as a person writes it, and from that to the model's frozen values.

What only the instance knows stays open: ids of environments, the home, and what `like` stands for.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from gigawatt.model.environment import EnvironmentSpec
from gigawatt.model.refusal import Fault
from gigawatt.model.workspace import WorkspaceProgram, WorkspaceSpec
from gigawatt.spec import limits
from gigawatt.spec.environments import environment_spec
from gigawatt.spec.faults import faults_of, refusal
from gigawatt.spec.fields import FORM, Labels, Name, Seconds, SomeSeconds, Text
from gigawatt.spec.forms import Env, Environment, EnvironmentForm
from gigawatt.spec.gangs import GangForm, shape_of
from gigawatt.spec.mounts import mounts_of
from gigawatt.spec.parse import pairs, together_faults
from gigawatt.spec.secrets import Secrets, uses_of
from gigawatt.spec.volumes import Volumes


def _host() -> EnvironmentForm:
    return EnvironmentForm(kind="host")


class WorkspaceForm(BaseModel):
    """A workspace: a place to work on one node. `like` takes environment, code, variables, volumes and
    resources of a job.
    """

    model_config = FORM
    kind: Literal["workspace"] = "workspace"
    name: Name
    program: Literal["jupyter", "vscode", "shell"] = "jupyter"
    like: Text = ""
    gang: GangForm = Field(default_factory=GangForm)
    environment: Environment = Field(default_factory=_host)
    bundle: Text = ""
    env: Env = {}
    volumes: Volumes = []
    secrets: Secrets = {}
    idle: SomeSeconds | None = None
    lease: Seconds | None = None
    priority: Annotated[int, Field(ge=-limits.PRIORITY_MAX, le=limits.PRIORITY_MAX)] = 100
    labels: Labels = {}


class ExtendRequest(BaseModel):
    """How much later a lease is to end."""

    model_config = FORM
    by: SomeSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceDraft:
    """`given` are the fields that were written; the others may come from the job in `like`.

    In the spec, `environment`, `tools` and `home` are empty, `volumes` are references as written, and times that were
    not given are 0.
    """

    spec: WorkspaceSpec
    environment: EnvironmentSpec
    like: str
    given: frozenset[str]


def parse_workspace(body: bytes | str) -> WorkspaceDraft:
    """The workspace in a JSON body. Raises RefusalError with every fault found."""
    try:
        form = WorkspaceForm.model_validate_json(body)
    except ValidationError as error:
        raise refusal(faults_of(error, WorkspaceForm)) from error
    faults = [*_size_faults(form.gang), *together_faults(form, replica=True)]
    if faults:
        raise refusal(faults)
    spec = WorkspaceSpec(
        name=form.name,
        program=WorkspaceProgram(form.program),
        shape=shape_of(form.gang),
        environment="",
        home="",
        bundle=form.bundle,
        env=pairs(form.env),
        volumes=mounts_of(form.volumes),
        secrets=uses_of(form.secrets),
        idle_s=form.idle or 0,
        lease_s=form.lease or 0,
        priority=form.priority,
        labels=pairs(form.labels),
    )
    return WorkspaceDraft(
        spec=spec,
        environment=environment_spec(form.environment),
        like=form.like,
        given=frozenset(form.model_fields_set),
    )


def workspace_from(data: object) -> WorkspaceDraft:
    """The workspace in plain data. Raises RefusalError with every fault found."""
    return parse_workspace(json.dumps(data))


def _size_faults(gang: GangForm) -> list[Fault]:
    """It is one person at one process."""
    found: list[Fault] = []
    if gang.nodes.max != 1:
        detail = f"gang.nodes is {gang.nodes.max}, and a workspace is on one node"
        found.append(Fault(field="gang.nodes", detail=detail, hint="run what needs more as a job"))
    if gang.ranks_per_node != 1:
        detail = f"gang.ranks_per_node is {gang.ranks_per_node}, and a workspace is one process"
        found.append(Fault(field="gang.ranks_per_node", detail=detail))
    return found
