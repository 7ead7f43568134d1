"""TorchX: an AppDef with its roles, or the arguments of a built-in component, as YAML or JSON.

A role's replica is a process on a node of its own, so it is a node with one rank here, or more where it runs torchrun.
"""

import re
from typing import Any

from gigawatt.spec.faults import nearest
from gigawatt.spec.foreign.amounts import shown_memory
from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.launch import Dialect, Plan, understand
from gigawatt.spec.foreign.mounts import ADVICE
from gigawatt.spec.foreign.names import env_of, name_of, told_name
from gigawatt.spec.foreign.section import Section, sections_of

DIALECT = Dialect(
    name="TorchX",
    prefix="TORCHX_",
    exports={"TORCHX_JOB_ID": "$GIGAWATT_JOB", "TORCHX_RANK0_HOST": "$MASTER_ADDR"},
    by_node={},
    lookup=re.compile(r"TORCHX_RANK0_HOST"),
    node_counts=frozenset(),
)
COMPONENTS = ("dist.ddp", "dist.spmd", "utils.python", "utils.sh", "utils.echo", "utils.binary")
_MACROS = {
    "${img_root}": "$PWD",
    "${app_id}": "$GIGAWATT_JOB",
    "${replica_id}": "$RANK",
    "${rank0_env}": "MASTER_ADDR",
}
_IMAGE = "write packages under `environment`; nodes run no images"
_ROLE_TAKEN = frozenset(
    {"name", "entrypoint", "args", "env", "num_replicas", "min_replicas", "max_retries", "resource"}
)
_ROLE_TOLD = {
    "image": _IMAGE,
    "base_image": _IMAGE,
    "retry_policy": "a gang is started again as a whole",
    "port_map": "MASTER_PORT is free for each job",
    "mounts": ADVICE,
    "metadata": "write `labels`",
    "overrides": "leave it out",
    "pre_proc": "leave it out",
    "workspace": "write `bundle: DIR`",
}
_RESOURCE_TOLD = {
    "capabilities": "name the kinds that `gw nodes` shows in gang.gpu_kinds",
    "devices": "nodes show their own devices",
    "tags": "write `labels`",
}
_RUN_TAKEN = frozenset({"component_name", "component_args"})
_RUN_TOLD = {
    "scheduler": "this system is the scheduler",
    "scheduler_args": "write what they ask for in the gang",
    "scheduler_cfg": "write what they ask for in the gang",
    "workspace": "write `bundle: DIR`",
    "dryrun": "`gw run FILE --dry-run`",
    "wait": "`gw run FILE --wait`",
    "log": "`gw run FILE --follow`",
    "tee_logs": "`gw logs JOB` has them",
    "parent_run_id": "write it as a label",
    "component_args_str": "write them under component_args",
}
_PLAIN_TOLD = {
    "image": _IMAGE,
    "h": "a named resource: write gang.cpus, gang.memory and gang.gpus",
    "mounts": ADVICE,
    "metadata": "write `labels`",
    "rdzv_backend": "ranks find each other by MASTER_ADDR",
    "rdzv_endpoint": "ranks find each other by MASTER_ADDR",
    "rdzv_port": "MASTER_PORT is free for each job",
    "rdzv_conf": "ranks find each other by MASTER_ADDR",
    "debug": "write the variables under env",
    "tee": "`gw logs JOB --rank N` has each rank's output",
    "start_method": "leave it out",
}
_COMPONENT_TAKEN = frozenset(
    {
        *(
            "args",
            "script_args",
            "script",
            "m",
            "name",
            "cpu",
            "gpu",
            "memMB",
            "env",
            "max_retries",
        ),
        *("j", "msg", "num_replicas", "entrypoint", "c"),
    }
)


def from_torchx(text: str, findings: Findings) -> list[dict[str, Any]]:
    """The jobs that a file describes, one for each role. Raises RefusalError."""
    found: list[dict[str, Any]] = []
    for section in sections_of(text, findings):
        if "component_name" in section.data:
            found.append(_component(section))
        else:
            found += _app(section)
    return found


def _app(section: Section) -> list[dict[str, Any]]:
    section.expect({"name", "roles"}, {"metadata": "write `labels`"})
    roles = section.items("roles")
    if not roles:
        hint = "give an AppDef with roles, or component_name and component_args"
        raise section.wrong("roles", "is missing or empty", hint)
    app = told_name(
        section.text("name"), key="name", line=section.line("name"), findings=section.findings
    )
    jobs = [_role(role, app, len(roles)) for role in roles]
    if len(roles) > 1:
        detail = f"{len(roles)} roles are jobs of their own: they do not start as one, and have no common ranks"
        section.note(
            "roles", detail, "let them meet at an address that both know, or be one program"
        )
    return jobs


def _role(role: Section, app: str, roles: int) -> dict[str, Any]:
    role.expect(_ROLE_TAKEN, _ROLE_TOLD)
    named = name_of(role.text("name"), "role")
    job: dict[str, Any] = {"kind": "job", "name": app or named}
    if roles > 1 and app:
        job["name"] = name_of(f"{app}-{named}")
    nodes = role.whole("num_replicas", 1, at_least=1)
    least = role.whole("min_replicas", nodes, at_least=1)
    gang: dict[str, Any] = {"nodes": nodes if least >= nodes else {"min": least, "max": nodes}}
    resource = role.section("resource")
    if resource:
        resource.expect({"cpu", "gpu", "memMB"}, _RESOURCE_TOLD)
        gang.update(_amounts(resource))
    entrypoint = role.text("entrypoint")
    if not entrypoint or entrypoint == "<MISSING>":
        raise role.wrong("entrypoint", "is missing", "name the program that the role runs")
    words = [entrypoint, *role.texts("args")]
    job.update(_program(words, nodes, gang, role, "args"))
    _rest(role, job)
    return job


def _amounts(section: Section) -> dict[str, Any]:
    """What a replica has, as a node's; TorchX writes -1 for what it does not know."""
    found: dict[str, Any] = {}
    for key, name in (("cpu", "cpus"), ("gpu", "gpus"), ("memMB", "memory")):
        if section.text(key) in {"", "-1", "0"}:
            continue
        amount = section.whole(key, 0)
        found[name] = shown_memory(amount << 10) if name == "memory" else amount
    return found


def _program(
    words: list[str], nodes: int, gang: dict[str, Any], section: Section, key: str
) -> dict[str, Any]:
    """A command where nothing in it is for a shell; otherwise a script, whose torchrun is read."""
    gpus = int(gang.get("gpus", 0))
    plan = Plan(
        nodes=nodes,
        ranks_per_node=1,
        gpus=gpus,
        key=section.full(key),
        first_line=section.line(key),
    )
    shell = words[0].rsplit("/", 1)[-1] in {"bash", "sh"} and len(words) == 3 and words[1] == "-c"
    text = words[2] if shell else " ".join(_quoted(word) for word in words)
    for macro, meaning in _MACROS.items():
        text = text.replace(macro, meaning)
    findings = Findings(section.findings.source)
    understood = understand(text, plan, DIALECT, findings)
    if not (
        shell or understood.launched or any(macro in word for word in words for macro in _MACROS)
    ):
        return {"command": words, "gang": gang}
    for note in findings.notes:
        section.findings.note(note.key, note.line, note.detail, note.advice)
    return {"script": understood.script, **understood.fields(gang)}


def _quoted(word: str) -> str:
    """A word that a shell reads as one; macros in it are still expanded."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", word):
        return word
    if any(macro in word for macro in _MACROS):
        return '"' + re.sub(r'(["\\`])', r"\\\1", word) + '"'
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _rest(section: Section, job: dict[str, Any]) -> None:
    if isinstance(section.data.get("env"), str):
        pairs = (each.partition("=") for each in section.text("env").split(","))
        values: dict[str, Any] = {name.strip(): value for name, _, value in pairs if name.strip()}
    else:
        values = section.variables("env")
    env = env_of(
        values,
        key=section.full("env"),
        line_of=lambda name: section.line(f"env.{name}"),
        replica=False,
        findings=section.findings,
    )
    if env:
        job["env"] = env
    if retries := section.whole("max_retries", 0):
        job["retries"] = {"user": retries}
    job["bundle"] = "."


def _component(section: Section) -> dict[str, Any]:
    """The job of a built-in component."""
    section.expect(_RUN_TAKEN, _RUN_TOLD)
    name = section.text("component_name").removeprefix("torchx.components.")
    if name not in COMPONENTS:
        hint = nearest(name, COMPONENTS)
        if not hint.startswith("did you"):
            hint = f"{hint}; a component of your own prints its AppDef with `torchx run --dryrun`"
        raise section.wrong(
            "component_name", f"is not a component that is read here: {name!r}", hint
        )
    arguments = section.section("component_args")
    if arguments is None:
        raise section.wrong("component_args", "is missing", "give the component's arguments")
    arguments.expect(_COMPONENT_TAKEN, _PLAIN_TOLD)
    distributed = name.startswith("dist.")
    nodes, per_node = _ranks(arguments) if distributed else (0, 1)
    gang: dict[str, Any] = {"nodes": nodes or arguments.whole("num_replicas", 1, at_least=1)}
    defaults = {"cpus": 2, "memory": "1GiB"} if distributed else {"cpus": 1, "memory": "1GiB"}
    gang.update({**defaults, **_amounts(arguments)})
    if per_node > 1:
        gang["ranks_per_node"] = per_node
    words = _words(name, arguments)
    job: dict[str, Any] = {"kind": "job"}
    script = arguments.text("script") or arguments.text("m") or name
    stem = script.rsplit("/", 1)[-1].removesuffix(".py").rpartition(".")[2]
    job["name"] = name_of(arguments.text("name").rpartition("/")[0] or stem, "job")
    job.update({"command": words, "gang": gang})
    _rest(arguments, job)
    return job


def _ranks(arguments: Section) -> tuple[int, int]:
    """Nodes and ranks on each, from `-j 2x4` or `-j 4`."""
    written = arguments.text("j") or "1x2"
    match = re.fullmatch(r"(?:(\d+)(?::(\d+))?x)?(\d+)", written)
    if match is None:
        raise arguments.wrong(
            "j", f"is not understood: {written!r}", "write NODESxPROCESSES, e.g. 2x4"
        )
    least, most, per_node = match.groups()
    if most:
        detail = f"a range of nodes; it is {most} now"
        arguments.note("j", detail, f"write `nodes: {{min: {least}, max: {most}}}`")
    return int(most or least or 1), int(per_node)


def _words(name: str, arguments: Section) -> list[str]:
    """The command of each rank."""
    given = arguments.texts("script_args") + arguments.texts("args")
    script, module = arguments.text("script"), arguments.text("m")
    if name == "utils.echo":
        return ["echo", arguments.text("msg") or "hello world"]
    if name == "utils.sh":
        words = given
    elif name == "utils.binary":
        words = [each for each in [arguments.text("entrypoint"), *given] if each]
    elif arguments.text("c"):
        words = ["python", "-c", arguments.text("c"), *given]
    elif script:
        words = ["python", script, *given]
    else:
        words = ["python", "-m", module, *given] if module else []
    if not words:
        hint = "give script or m, or args for utils.sh"
        raise arguments.wrong("script", "is missing: nothing says what to run", hint)
    return words
