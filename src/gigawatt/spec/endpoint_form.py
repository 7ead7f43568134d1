"""What a person writes for an endpoint, field by field."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gigawatt.model.endpoint import Routing
from gigawatt.model.rollout import DEFAULT_PLAN, NoRoom, Strategy
from gigawatt.model.runtime import RuntimeName, Task
from gigawatt.spec import limits
from gigawatt.spec.fields import (
    FORM,
    Count,
    GraceSeconds,
    IntervalMs,
    Labels,
    Name,
    Seconds,
    ServedName,
    SomeSeconds,
    Text,
    WorkPath,
)
from gigawatt.spec.forms import Command, Env, Environment, EnvironmentForm
from gigawatt.spec.gangs import GangForm
from gigawatt.spec.secrets import Secrets
from gigawatt.spec.volumes import Volumes

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Arguments = Annotated[list[Text], Field(max_length=limits.COMMAND_ARGS_MAX)]


def _host() -> EnvironmentForm:
    return EnvironmentForm(kind="host")


class ReplicasForm(BaseModel):
    """From `min` to `max` replicas, by demand."""

    model_config = FORM
    min: Annotated[int, Field(ge=0, le=limits.REPLICAS_MAX)] = 0
    max: Annotated[int, Field(ge=1, le=limits.REPLICAS_MAX)] = 1


class QueueForm(BaseModel):
    """Requests that may wait for a replica, and how long."""

    model_config = FORM
    max: Annotated[int, Field(ge=0, le=limits.QUEUE_MAX)] = 256
    timeout: SomeSeconds = 300


class ReadinessForm(BaseModel):
    """A replica is ready when GET `path` on its port answers 2xx."""

    model_config = FORM
    path: Annotated[str, Field(max_length=limits.PATH_CHARS_MAX, pattern="^/[!-~]*$")] = "/health"
    timeout: SomeSeconds = 120
    interval: IntervalMs = 250


class FloorForm(BaseModel):
    """At least `replicas` from `start` to `end` (UTC) on these days of the week."""

    model_config = FORM
    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)] = list(WEEKDAYS)
    start: TimeOfDay
    end: TimeOfDay
    replicas: Annotated[int, Field(ge=1, le=limits.REPLICAS_MAX)]


class ScalingForm(BaseModel):
    """Replicas follow the load, by these; `scaling: {}` is all of the defaults."""

    model_config = FORM
    window: Annotated[SomeSeconds, Field(le=limits.SCALING_WINDOW_S_MAX)] = 20
    hold: Annotated[Seconds, Field(le=limits.SCALING_HOLD_S_MAX)] = 60
    headroom: Annotated[float, Field(ge=0, le=10)] = 2.0
    down: Annotated[float, Field(gt=0, le=1)] = 0.5
    ttft: Annotated[float, Field(ge=0, le=3600)] = 0.0
    tpot: Annotated[float, Field(ge=0, le=3600)] = 0.0
    cache: Annotated[float, Field(ge=0, le=1)] = 0.85
    backlog: Annotated[int, Field(ge=0, le=limits.CONTEXT_TOKENS_MAX)] = 0
    forecast: Annotated[float, Field(ge=0, le=2)] = 0.8
    start: Seconds = 60
    floors: Annotated[list[FloorForm], Field(max_length=limits.FLOORS_MAX)] = []


class RolloutForm(BaseModel):
    """How a changed spec takes the place of the one before: by `steps` of a canary, in percent, or all at once."""

    model_config = FORM
    strategy: Strategy = Strategy.ALL_AT_ONCE
    steps: Annotated[
        list[Annotated[int, Field(ge=1, le=99)]], Field(max_length=limits.ROLLOUT_STEPS_MAX)
    ] = list(DEFAULT_PLAN.steps)
    pause: Seconds = DEFAULT_PLAN.pause_s
    bake: Seconds = DEFAULT_PLAN.bake_s
    start: SomeSeconds = DEFAULT_PLAN.start_s
    errors: Annotated[float, Field(ge=0, le=1)] = 0.02
    latency: Annotated[float, Field(ge=0, le=100)] = 1.5
    requests: Annotated[int, Field(ge=1, le=limits.ROLLOUT_REQUESTS_MAX)] = (
        DEFAULT_PLAN.requests_min
    )
    no_room: NoRoom = NoRoom.WAIT
    drain: Seconds = DEFAULT_PLAN.drain_s


class EndpointForm(BaseModel):
    """An endpoint: a named service of one model, by as many replicas as its demand asks for."""

    model_config = FORM
    kind: Literal["endpoint"] = "endpoint"
    name: Name
    model: Text
    served_name: ServedName | None = None
    runtime: RuntimeName = RuntimeName.CUSTOM
    command: Command | None = None
    args: Arguments = []
    task: Task = Task.CHAT
    context: Annotated[int, Field(ge=0, le=limits.CONTEXT_TOKENS_MAX)] = 0
    sleep: Seconds = 0
    gang: GangForm = Field(default_factory=GangForm)
    environment: Environment = Field(default_factory=_host)
    bundle: Text = ""
    workdir: WorkPath = ""
    env: Env = {}
    volumes: Volumes = []
    secrets: Secrets = {}
    priority: Annotated[int, Field(ge=-limits.PRIORITY_MAX, le=limits.PRIORITY_MAX)] = 100
    grace: GraceSeconds = 10
    labels: Labels = {}
    replicas: ReplicasForm = Field(default_factory=ReplicasForm)
    concurrency: Annotated[Count, Field(le=limits.CONCURRENCY_MAX)] = 8
    idle: Seconds = 300
    queue: QueueForm = Field(default_factory=QueueForm)
    routing: Routing = Routing.LEAST
    scaling: ScalingForm | None = None
    aliases: Annotated[list[ServedName], Field(max_length=limits.NAMES_MAX)] = []
    adapters: Annotated[list[ServedName], Field(max_length=limits.NAMES_MAX)] = []
    weight: Annotated[int, Field(ge=0, le=limits.WEIGHT_MAX)] = 0
    fallback: ServedName | None = None
    rollout: RolloutForm = Field(default_factory=RolloutForm)
    readiness: ReadinessForm = Field(default_factory=ReadinessForm)
