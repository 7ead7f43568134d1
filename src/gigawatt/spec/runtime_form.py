"""What an endpoint's runtime makes of its form: command, environment and readiness, or what does not go together."""

from collections.abc import Iterator
from dataclasses import dataclass

from gigawatt.model.endpoint import Readiness
from gigawatt.model.environment import EnvironmentSpec
from gigawatt.model.refusal import Fault
from gigawatt.model.runtime import RUNTIMES, RuntimeName, Task
from gigawatt.spec.endpoint_form import EndpointForm
from gigawatt.spec.environments import environment_spec
from gigawatt.spec.gangs import shape_of
from gigawatt.spec.runtimes import (
    Served,
    runtime_command,
    runtime_environ,
    runtime_environment,
    runtime_readiness,
    sleeping_runtimes,
)

MILLI = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """How a replica is started."""

    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    environment: EnvironmentSpec
    readiness: Readiness


def runtime_of(form: EndpointForm) -> Runs:
    """Of a form without faults. What it says itself counts before what its runtime would."""
    said = Readiness(
        path=form.readiness.path,
        timeout_s=form.readiness.timeout,
        interval_ms=form.readiness.interval,
    )
    environment = environment_spec(form.environment)
    if form.runtime is RuntimeName.CUSTOM:
        return Runs(
            command=tuple(form.command or ()),
            env=tuple(sorted(form.env.items())),
            environment=environment,
            readiness=said,
        )
    served = _served(form)
    named = "environment" in form.model_fields_set
    timed = "readiness" in form.model_fields_set
    return Runs(
        command=runtime_command(served),
        env=tuple(sorted((dict(runtime_environ(served)) | form.env).items())),
        environment=environment if named else runtime_environment(form.runtime),
        readiness=said if timed else runtime_readiness(form.runtime),
    )


def runtime_faults(form: EndpointForm) -> Iterator[Fault]:
    """What is missing for its runtime, and what it has no use for."""
    if form.runtime is RuntimeName.CUSTOM:
        if not form.command:
            hint = "give the program that serves, or one of the runtimes: llamacpp, vllm, sglang"
            yield Fault(field="command", detail="command is missing", hint=hint)
        for name in ("args", "context", "sleep"):
            if getattr(form, name):
                yield _needs_runtime(name)
        if form.task is not Task.CHAT:
            yield _needs_runtime("task")
    elif form.command:
        detail = f"command is what runtime {form.runtime.value} makes"
        hint = "add to it by `args`, or use runtime custom"
        yield Fault(field="command", detail=detail, hint=hint)
    elif form.sleep and not RUNTIMES[form.runtime].sleeps:
        detail = f"runtime {form.runtime.value} cannot sleep"
        hint = f"these can: {', '.join(sleeping_runtimes())}"
        yield Fault(field="sleep", detail=detail, hint=hint)


def _served(form: EndpointForm) -> Served:
    return Served(
        runtime=form.runtime,
        served_name=form.served_name or form.name,
        concurrency=form.concurrency,
        gpus=shape_of(form.gang).per_node.milli_gpu // MILLI,
        task=form.task,
        context=form.context,
        sleep_s=form.sleep,
        args=tuple(form.args),
    )


def _needs_runtime(name: str) -> Fault:
    hint = "name a runtime (llamacpp, vllm, sglang), or write it into the command"
    return Fault(field=name, detail=f"{name} is for a runtime, and there is none", hint=hint)
