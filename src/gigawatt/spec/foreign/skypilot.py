"""A SkyPilot task, a pipeline of them, or a service. `run` runs once on each node there, as a rank does here."""

import re
from collections.abc import Mapping
from typing import Any, cast

from gigawatt.spec.foreign.amounts import SIZE_HINT, range_of, shown_memory, shown_span, size_kib
from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.launch import NODE_COUNT, Dialect, Plan, understand
from gigawatt.spec.foreign.mounts import ADVICE, volumes_of
from gigawatt.spec.foreign.names import KINDS_ADVICE, env_of, name_of, told_name
from gigawatt.spec.foreign.packages import environment_of, with_setup
from gigawatt.spec.foreign.section import Section, sections_of
from gigawatt.spec.foreign.services import endpoint_model, endpoint_of, on_given_port
from gigawatt.spec.units import shown

DIALECT = Dialect(
    name="SkyPilot",
    prefix="SKYPILOT_",
    exports={
        "SKYPILOT_NODE_RANK": "$NODE_RANK",
        "SKYPILOT_NUM_NODES": NODE_COUNT,
        "SKYPILOT_TASK_ID": "$GIGAWATT_JOB",
        "SKYPILOT_CLUSTER_INFO": "{}",
    },
    by_node={},
    lookup=re.compile(r"SKYPILOT_NODE_IPS"),
    node_counts=frozenset({"SKYPILOT_NUM_NODES"}),
    gpu_counts=frozenset({"SKYPILOT_NUM_GPUS_PER_NODE"}),
)
_TAKEN = frozenset(
    {
        "name",
        "workdir",
        "num_nodes",
        "resources",
        "envs",
        "setup",
        "run",
        "service",
        "secrets",
        "volumes",
    }
)
_TOLD = {
    "file_mounts": ADVICE,
    "storage_mounts": ADVICE,
    "config": "`gw up --help` has an instance's settings",
    "experimental": "leave it out",
    "inputs": ADVICE,
    "outputs": "write a checkpoint, or `model: {name: …, path: …}`",
    "event_callback": "`gw events -f` tells what happens",
    "pool": "nodes are there already",
}
_CLOUD = "nodes are those of the instance; none is rented for a job"
_DISK = "disk is not counted; a full one refuses new work"
_RESOURCES_TOLD = {
    **dict.fromkeys(
        (
            *("infra", "cloud", "region", "zone", "instance_type", "use_spot", "spot_recovery"),
            *("max_hourly_cost", "any_of", "ordered", "network_tier", "cluster_name"),
        ),
        _CLOUD,
    ),
    **dict.fromkeys(("disk_size", "disk_tier", "local_disk"), _DISK),
    "accelerator_args": "leave it out",
    "image_id": "write packages under `environment`; nodes run no images",
    "autostop": "a job ends by itself, and `timeout` ends it otherwise",
}
_RESOURCES_TAKEN = frozenset(
    {"accelerators", "cpus", "memory", "labels", "job_recovery", "ports", "priority"}
)


def from_skypilot(text: str, findings: Findings) -> list[dict[str, Any]]:
    """The jobs and endpoints that a file describes; the tasks of a pipeline come after each other.

    Raises RefusalError.
    """
    sections = sections_of(text, findings)
    if len(sections) == 1:
        return [_task(sections[0], "")]
    header = sections[0] if set(sections[0].data) <= {"name", "execution"} else None
    if header:
        header.expect({"name"}, {"execution": "jobs without `after` run beside each other"})
        sections = sections[1:]
    pipeline = header.text("name") if header else ""
    found: list[dict[str, Any]] = []
    for number, section in enumerate(sections, start=1):
        job = _task(section, name_of(f"{pipeline or 'task'}-{number}"))
        if found and job["kind"] == "job":
            job["after"] = [found[-1]["name"]]
        found.append(job)
    return found


def _task(section: Section, fallback: str) -> dict[str, Any]:
    section.expect(_TAKEN, _TOLD)
    service = section.section("service")
    findings = section.findings
    job: dict[str, Any] = {"kind": "job"}
    written = section.text("name")
    line = section.line("name")
    name = told_name(written, key=section.full("name"), line=line, findings=findings) or fallback
    if name or service:
        job["name"] = name or "service"
    resources = section.section("resources")
    if resources:
        resources.expect(_RESOURCES_TAKEN, _RESOURCES_TOLD)
    gang = _gang(section, resources)
    _program(section, job, gang)
    _rest(section, resources, job, replica=service is not None)
    if service is None:
        if resources and resources.data.get("ports"):
            resources.note("ports", "nothing reaches a job's ports", "make it an endpoint")
        return job
    return _service(section, service, resources, job)


def _gang(section: Section, resources: Section | None) -> dict[str, Any]:
    gang: dict[str, Any] = {"nodes": section.whole("num_nodes", 1, at_least=1)}
    if resources is None:
        return gang
    if cpus := _number(resources, "cpus"):
        gang["cpus"] = cpus
    if written := resources.text("memory"):
        low = range_of(written)[0]
        kib = size_kib(low)
        if kib is None:
            raise resources.wrong("memory", f"is not a size: {written!r}", SIZE_HINT)
        gang["memory"] = shown_memory(kib)
    gpus = _accelerators(resources)
    if gpus:
        gang["gpus"] = gpus
    return gang


def _number(resources: Section, key: str) -> float | int:
    written = resources.text(key)
    if not written:
        return 0
    low = range_of(written)[0]
    try:
        number = float(low)
    except ValueError:
        raise resources.wrong(key, f"is not a number: {written!r}", "write 4 or 4+") from None
    return int(number) if number == int(number) else number


def _accelerators(resources: Section) -> float | int:
    """GPUs of each node: the first of alternatives. A mapping whose values are empty is YAML's set."""
    value = resources.data.get("accelerators")
    if value is None:
        return 0
    if isinstance(value, Mapping):
        held = cast("Mapping[str, Any]", value)
        wanted = [name if count is None else f"{name}:{count}" for name, count in held.items()]
    else:
        wanted = resources.texts("accelerators")
    counts: list[float] = []
    kinds: list[str] = []
    for each in wanted:
        kind, _, count = each.partition(":")
        try:
            counts.append(float(count or 1))
        except ValueError:
            hint = "write NAME or NAME:COUNT, e.g. H100:8"
            detail = f"is not understood: {shown(each)}"
            raise resources.wrong("accelerators", detail, hint) from None
        kinds.append(kind)
    if not counts:
        return 0
    detail = f"asks for {' or '.join(kinds)}, and takes any GPU"
    resources.note("accelerators", detail, KINDS_ADVICE)
    if len(set(counts)) > 1:
        detail = f"the alternatives have different counts; it is the first's, {counts[0]:g}"
        resources.note("accelerators", detail, "write gang.gpus")
    return int(counts[0]) if counts[0] == int(counts[0]) else counts[0]


def _program(section: Section, job: dict[str, Any], gang: dict[str, Any]) -> None:
    """The script, its gang and its environment, into `job`."""
    run = section.text("run")
    if not run.strip():
        raise section.wrong("run", "is missing", "a job has a command; write it under `run: |`")
    workdir = section.data.get("workdir")
    base = workdir if isinstance(workdir, str) and workdir not in {".", "./"} else ""
    gpus = int(gang.get("gpus", 0))
    plan = Plan(
        nodes=gang["nodes"],
        ranks_per_node=1,
        gpus=gpus,
        literals={"SKYPILOT_NUM_GPUS_PER_NODE": str(gpus)},
        key=section.full("run"),
        first_line=section.line("run") + 1,
    )
    understood = understand(run, plan, DIALECT, section.findings)
    setup = section.text("setup")
    environment = environment_of(setup, "", base.removeprefix("./").rstrip("/"))
    script = understood.script
    if environment is None:
        line = section.line("setup")
        script = with_setup(setup, script, key="setup", line=line, findings=section.findings)
    job["script"] = script
    job.update(understood.fields(gang))
    if environment is not None:
        job["environment"] = environment


def _rest(
    section: Section, resources: Section | None, job: dict[str, Any], *, replica: bool
) -> None:
    workdir = section.data.get("workdir")
    if isinstance(workdir, Mapping):
        section.note(
            "workdir", "a Git repository is not fetched", "clone it, and write `bundle: DIR`"
        )
    elif workdir is not None:
        job["bundle"] = section.text("workdir")
    env = env_of(
        section.variables("envs"),
        key="envs",
        line_of=lambda name: section.line(f"envs.{name}"),
        replica=replica,
        findings=section.findings,
    )
    if env:
        job["env"] = env
    for name in section.variables("secrets"):
        advice = "let the program read it from a file on the node"
        section.note(f"secrets.{name}", "is left out: a job's variables are shown", advice)
    if volumes := _volumes(section):
        job["volumes"] = volumes
    if resources is None:
        return
    labels = resources.variables("labels")
    if labels:
        job["labels"] = {name: str(value) for name, value in labels.items()}
    priority = resources.whole("priority", 0)
    if priority:
        job["priority"] = priority
    _recovery(resources, job)


def _volumes(section: Section) -> list[dict[str, Any]]:
    """Volumes by name, at the paths where they are mounted."""
    held = section.section("volumes")
    if held is None:
        return []
    disks: list[tuple[str, str]] = []
    for path, value in held.data.items():
        if isinstance(value, str):
            disks.append((value, path))
        else:
            held.note(path, "makes a volume of its own, which has no counterpart", ADVICE)
    return volumes_of(disks, key="volumes", line=section.line("volumes"), findings=section.findings)


def _recovery(resources: Section, job: dict[str, Any]) -> None:
    if not isinstance(resources.data.get("job_recovery"), Mapping):
        return
    recovery = resources.section("job_recovery")
    assert recovery is not None
    told = {"strategy": _CLOUD, "recover_on_exit_codes": "write `retries: {user: N}`"}
    recovery.expect({"max_restarts_on_errors"}, told)
    restarts = recovery.whole("max_restarts_on_errors", 0)
    if restarts:
        job["retries"] = {"user": restarts}


_SERVICE_TAKEN = frozenset({"readiness_probe", "replicas", "replica_policy", "ports"})
_SERVICE_TOLD = {
    "controller": _CLOUD,
    "controller_resources": _CLOUD,
    "load_balancing_policy": "the gateway picks the replica with the fewest requests in flight",
    "tls": "put a proxy with TLS before the gateway",
    "pool": "nodes are there already",
    "workers": "write `replicas`",
}
_POLICY_TOLD = {
    "target_qps_per_replica": "write `concurrency`: requests in flight that one replica is meant for",
    "qps_upper_threshold": "write `concurrency`",
    "qps_lower_threshold": "write `concurrency`",
    "upscale_delay_seconds": "replicas are added as soon as requests ask for them",
    "num_overprovision": "write a higher replicas.min",
    "base_ondemand_fallback_replicas": _CLOUD,
    "dynamic_ondemand_fallback": _CLOUD,
    "autoscaling_decision_interval": "leave it out",
}


def _service(
    section: Section, service: Section, resources: Section | None, job: dict[str, Any]
) -> dict[str, Any]:
    """The endpoint of a task with a service."""
    service.expect(_SERVICE_TAKEN, _SERVICE_TOLD)
    port = service.text("ports")
    if not port and resources:
        port = next(iter(resources.texts("ports")), "")
    line = section.line("run")
    findings = section.findings
    script = on_given_port(job["script"], port, key="resources.ports", line=line, findings=findings)
    if job["gang"]["nodes"] != 1:
        section.note("num_nodes", "a replica is one node", "serve it by fewer, larger nodes")
        job["gang"]["nodes"] = 1
    line = service.line()
    model = endpoint_model(job["name"], key="service", line=line, findings=findings)
    fields: dict[str, Any] = {"model": model, "replicas": _replicas(service)}
    if idle := _idle(service):
        fields["idle"] = idle
    if readiness := _readiness(service):
        fields["readiness"] = readiness
    return endpoint_of({**job, "script": script}, fields)


def _replicas(service: Section) -> dict[str, int]:
    policy = service.section("replica_policy")
    if policy is None:
        fixed = service.whole("replicas", 1, at_least=1)
        return {"min": fixed, "max": fixed}
    policy.expect({"min_replicas", "max_replicas", "downscale_delay_seconds"}, _POLICY_TOLD)
    low = policy.whole("min_replicas", 1)
    return {"min": low, "max": max(1, policy.whole("max_replicas", low))}


def _idle(service: Section) -> str:
    policy = service.section("replica_policy")
    seconds = policy.whole("downscale_delay_seconds", 0) if policy else 0
    return shown_span(seconds) if seconds else ""


def _readiness(service: Section) -> dict[str, str]:
    if not isinstance(service.data.get("readiness_probe"), Mapping):
        path = service.text("readiness_probe")
        return {"path": path} if path else {}
    probe = service.section("readiness_probe")
    assert probe is not None
    told = {
        "post_data": "the probe is a GET; answer it on a path of its own",
        "timeout_seconds": "leave it out",
        "headers": "the probe carries none",
    }
    probe.expect({"path", "initial_delay_seconds"}, told)
    found = {"path": probe.text("path") or "/health"}
    if delay := probe.whole("initial_delay_seconds", 0):
        found["timeout"] = shown_span(delay)
    return found
