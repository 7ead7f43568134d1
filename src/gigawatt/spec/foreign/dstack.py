"""A dstack configuration: a task is a job, a service an endpoint, a dev environment a workspace."""

import re
from collections.abc import Mapping
from typing import Any, cast

from gigawatt.spec.cron import parse_cron
from gigawatt.spec.faults import nearest
from gigawatt.spec.foreign.amounts import range_of, shown_span
from gigawatt.spec.foreign.dstack_resources import CLOUD, gang_of
from gigawatt.spec.foreign.dstack_volumes import dstack_volumes
from gigawatt.spec.foreign.dstack_workspaces import TAKEN, TOLD, workspace_of
from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.launch import NODE_COUNT, Dialect, Plan, understand
from gigawatt.spec.foreign.names import env_of, told_name
from gigawatt.spec.foreign.packages import environment_of, with_setup
from gigawatt.spec.foreign.section import Section, sections_of, told_alike
from gigawatt.spec.foreign.services import endpoint_model, endpoint_of, on_given_port
from gigawatt.spec.units import UnitError, duration_s, shown

DIALECT = Dialect(
    name="dstack",
    prefix="DSTACK_",
    exports={
        "DSTACK_RUN_NAME": "$GIGAWATT_NAME",
        "DSTACK_RUN_ID": "$GIGAWATT_JOB",
        "DSTACK_NODE_RANK": "$NODE_RANK",
        "DSTACK_NODES_NUM": NODE_COUNT,
        "DSTACK_MASTER_NODE_IP": "$MASTER_ADDR",
        "DSTACK_WORKING_DIR": "$PWD",
        "DSTACK_REPO_DIR": "$PWD",
    },
    by_node={},
    lookup=re.compile(r"DSTACK_NODES_IPS"),
    node_counts=frozenset({"DSTACK_NODES_NUM"}),
    gpu_counts=frozenset({"DSTACK_GPUS_PER_NODE", "DSTACK_GPUS_NUM"}),
)
TYPES = ("task", "service", "dev-environment")
_IMAGE = "write packages under `environment`; nodes run no images"
_TOLD = {
    **dict.fromkeys(
        (
            *(
                "backends",
                "regions",
                "availability_zones",
                "instance_types",
                "reservation",
                "max_price",
            ),
            *("spot_policy", "creation_policy", "idle_duration", "fleets", "fleet", "instances"),
            *("instance_name", "pool_name", "termination_policy", "termination_idle_time"),
        ),
        CLOUD,
    ),
    **dict.fromkeys(
        ("image", "user", "privileged", "entrypoint", "registry_auth", "docker", "nvcc"), _IMAGE
    ),
    "ports": "nothing reaches a job's ports; make it a service",
    "shell": "scripts run under bash",
    "home_dir": "leave it out",
    "single_branch": "leave it out",
    "ide": "with `type: dev-environment` it becomes a workspace",
    "startup_order": "a gang's ranks start together",
    "stop_criteria": "a gang ends when all of its ranks have",
    "utilization_policy": "`gw watch` shows what a job does with its GPUs",
    "tags": "write `labels`",
    "dev_environment": "with `type: dev-environment` it becomes a workspace",
}
_SERVICE_TOLD = {
    "gateway": "`gw up` starts the gateway",
    "https": "put a proxy with TLS before the gateway",
    "auth": "the gateway asks for an API key",
    "rate_limits": "queue.max and queue.timeout say how many requests wait, and how long",
    "strip_prefix": "paths are OpenAI's, below /v1",
    "router": "the gateway picks the replica with the fewest requests in flight",
}
_TAKEN = frozenset(
    {
        *(
            "type",
            "name",
            "nodes",
            "commands",
            "env",
            "python",
            "resources",
            "priority",
            "working_dir",
        ),
        *("repos", "files", "max_duration", "stop_duration", "retry", "retry_policy", "setup"),
        "schedule",
        "volumes",
    }
)
_SERVICE_TAKEN = frozenset({"port", "model", "replicas", "scaling", "probes"})


def from_dstack(text: str, findings: Findings) -> list[dict[str, Any]]:
    """The job, endpoint or workspace that each document describes. Raises RefusalError."""
    return [_run(section) for section in sections_of(text, findings)]


def _run(section: Section) -> dict[str, Any]:
    kind = section.text("type")
    if kind not in TYPES:
        detail = f"is not a run's: {kind!r}" if kind else "is missing"
        raise section.wrong("type", detail, nearest(kind, TYPES))
    if kind == "dev-environment":
        told = {key: advice for key, advice in _TOLD.items() if key not in TAKEN}
        section.expect(TAKEN, {**told, **TOLD})
        return workspace_of(section, bundle=_bundle(section))
    service = kind == "service"
    if service:
        section.expect(_TAKEN | _SERVICE_TAKEN, {**_TOLD, **_SERVICE_TOLD})
    else:
        section.expect(_TAKEN, _TOLD)
    job: dict[str, Any] = {"kind": "job"}
    name = told_name(
        section.text("name"), key="name", line=section.line("name"), findings=section.findings
    )
    if name or service:
        job["name"] = name or "service"
    _schedule(section, job.get("name", "NAME"))
    gang = gang_of(section)
    _program(section, job, gang)
    _rest(section, job, replica=service)
    if volumes := dstack_volumes(section):
        job["volumes"] = volumes
    return _endpoint(section, job) if service else job


def _schedule(section: Section, name: str) -> None:
    """A schedule stands beside a job here: each expression, which is in UTC there, is told as its command."""
    schedule = section.section("schedule")
    if schedule is None:
        return
    schedule.expect({"cron"}, {})
    for text in schedule.texts("cron"):
        try:
            cron = parse_cron(text)
        except UnitError as error:
            raise schedule.wrong("cron", error.detail, error.hint) from error
        advice = f'`gw schedules create {name} --cron "{cron}" FILE`'
        schedule.note("cron", f"{shown(text)} is no part of a job", advice)


def _program(section: Section, job: dict[str, Any], gang: dict[str, Any]) -> None:
    """Commands that only install packages, from the first on, are the environment; the others are the script."""
    commands = section.texts("commands")
    if not commands:
        hint = "an image's own entry point is not run; write what it does under `commands`"
        raise section.wrong("commands", "is missing", hint)
    python = section.text("python")
    installs = 0
    while installs < len(commands) and environment_of("\n".join(commands[: installs + 1]), ""):
        installs += 1
    environment = environment_of("\n".join(commands[:installs]), python) if installs else None
    if environment is None and python:
        detail = f"{python} alone makes no environment; it is the machine's own Python"
        section.note("python", detail, "write packages under `environment`")
    gpus = int(gang.get("gpus", 0))
    plan = Plan(
        nodes=gang["nodes"],
        ranks_per_node=1,
        gpus=gpus,
        literals={"DSTACK_GPUS_PER_NODE": str(gpus), "DSTACK_GPUS_NUM": str(gpus * gang["nodes"])},
        key="commands",
        first_line=section.line("commands") + 1 + installs,
    )
    script = "\n".join(each.rstrip("\n") for each in commands[installs:])
    understood = understand(script, plan, DIALECT, section.findings)
    setup = "\n".join(section.texts("setup"))
    line = section.line("setup")
    script = with_setup(setup, understood.script, key="setup", line=line, findings=section.findings)
    job["script"] = script
    job.update(understood.fields(gang))
    if environment is not None:
        job["environment"] = environment


def _rest(section: Section, job: dict[str, Any], *, replica: bool) -> None:
    bundle = _bundle(section)
    if bundle:
        job["bundle"] = bundle
    if section.text("working_dir"):
        section.note(
            "working_dir", "a path in a container", "write `workdir`, a path in the bundle"
        )
    env = env_of(
        section.variables("env"),
        key="env",
        line_of=lambda name: section.line(f"env.{name}"),
        replica=replica,
        findings=section.findings,
    )
    if env:
        job["env"] = env
    if priority := section.whole("priority", 0):
        job["priority"] = priority
    seconds = _span(section, "max_duration")
    if seconds and replica:
        section.note("max_duration", "an endpoint has no end", "`gw endpoints stop NAME`")
    elif seconds:
        job["timeout"] = shown_span(seconds)
    if grace := _span(section, "stop_duration"):
        job["grace"] = shown_span(min(grace, 3_600))
    for key in ("retry", "retry_policy"):
        if section.data.get(key):
            detail = (
                "lost nodes and preemption are retried by themselves, a program's failure is not"
            )
            section.note(key, detail, "write `retries: {user: N, infrastructure: M}`")


def _bundle(section: Section) -> str:
    """The directory to take along: the first that stands for the working directory."""
    found = ""
    for key in ("repos", "files"):
        value: object = section.data.get(key) or []
        listed = cast("list[object]", value) if isinstance(value, list) else [value]
        for each in listed:
            local = each.split(":", 1)[0] if isinstance(each, str) and "://" not in each else ""
            relative = bool(local) and not local.startswith(("/", "~")) and "@" not in local
            if relative and not found:
                found = local
            else:
                section.note(
                    key, f"{each!r} is not taken along", "one directory is: write `bundle: DIR`"
                )
    return found


def _span(section: Section, key: str) -> int:
    """Seconds; 0 for none and for `off`."""
    value = section.data.get(key)
    if value is None or isinstance(value, bool) or value == "off":
        return 0
    try:
        return duration_s(value)
    except UnitError as error:
        raise section.wrong(key, error.detail, error.hint) from None


def _endpoint(section: Section, job: dict[str, Any]) -> dict[str, Any]:
    port = section.text("port").rsplit(":", 1)[-1]
    line = section.line("port")
    script = on_given_port(job["script"], port, key="port", line=line, findings=section.findings)
    named = section.data.get("model")
    if isinstance(named, Mapping):
        model = section.section("model")
        assert model is not None
        told = ("type", "format", "prefix", "chat_template", "eos_token")
        model.expect({"name"}, dict.fromkeys(told, "clients speak OpenAI's API"))
        served = model.text("name")
    else:
        served = section.text("model")
    reference = endpoint_model(
        served or job["name"], key="model", line=section.line("model"), findings=section.findings
    )
    fields: dict[str, Any] = {"model": reference}
    if served:
        fields["served_name"] = served
    fields["replicas"] = _replicas(section)
    if idle := _scaling(section):
        fields["idle"] = shown_span(idle)
    if path := _probe(section):
        fields["readiness"] = {"path": path}
    return endpoint_of({**job, "script": script}, fields)


def _replicas(section: Section) -> dict[str, int]:
    if isinstance(section.data.get("replicas"), list):
        hint = "write a service for each group, and convert them one by one"
        raise section.wrong("replicas", "has groups: an endpoint's replicas are all alike", hint)
    held = section.data.get("replicas", 1)
    if isinstance(held, Mapping):
        inner = section.section("replicas")
        assert inner is not None
        low, high = inner.text("min"), inner.text("max")
    else:
        low, high = range_of(str(held))
    low = low or "0"
    if not (low.isdecimal() and high.isdecimal()):
        raise section.wrong("replicas", f"is not understood: {held!r}", "write 2 or 0..4")
    return {"min": int(low), "max": max(1, int(high))}


def _scaling(section: Section) -> int:
    """Seconds of quiet before a replica is let go; 0 where nothing is said."""
    scaling = section.section("scaling")
    if scaling is None:
        return 0
    concurrency = "write `concurrency`: requests in flight that one replica is meant for"
    told = told_alike(concurrency, "metric", "target", "window")
    told["scale_up_delay"] = "replicas are added as soon as requests ask for them"
    scaling.expect({"scale_down_delay"}, told)
    return _span(scaling, "scale_down_delay")


def _probe(section: Section) -> str:
    """The path of the first probe."""
    probes = section.items("probes")
    if not probes:
        return ""
    told = {
        **told_alike("the probe is a GET without a body", "method", "headers", "body"),
        **told_alike("leave it out", "timeout", "interval", "ready_after", "until_ready"),
    }
    probes[0].expect({"type", "url"}, told)
    if len(probes) > 1:
        section.note("probes", "one of them is asked, the first", "answer for all on one path")
    return probes[0].text("url") or "/"
