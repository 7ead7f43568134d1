"""A batch script for Slurm: its `#SBATCH` options become the job, its body what each rank runs.

Slurm runs the script once and `srun` starts the ranks; here every rank runs the script. So a script without a launch
that is understood becomes one rank on one node, which is what it was.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gigawatt.spec.foreign.amounts import (
    MEMORY_HINT,
    TIME_HINT,
    shown_memory,
    shown_span,
    slurm_kib,
    slurm_time_s,
)
from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.launch import NODE_COUNT, Dialect, Plan, understand
from gigawatt.spec.foreign.names import KINDS_ADVICE, env_of, told_name
from gigawatt.spec.foreign.sbatch_options import DIRECTIVE, TOLD, Given, read_options
from gigawatt.spec.foreign.script import Line, lines_of
from gigawatt.spec.limits import GRACE_S_MAX

DIALECT = Dialect(
    name="Slurm",
    prefix="SLURM",
    exports={
        "SLURM_PROCID": "$RANK",
        "SLURM_LOCALID": "$LOCAL_RANK",
        "SLURM_NODEID": "$NODE_RANK",
        "SLURM_NTASKS": "$WORLD_SIZE",
        "SLURM_NPROCS": "$WORLD_SIZE",
        "SLURM_NTASKS_PER_NODE": "$LOCAL_WORLD_SIZE",
        "SLURM_NNODES": NODE_COUNT,
        "SLURM_JOB_NUM_NODES": NODE_COUNT,
        "SLURM_JOB_ID": "$GIGAWATT_JOB",
        "SLURM_JOBID": "$GIGAWATT_JOB",
        "SLURM_JOB_NAME": "$GIGAWATT_NAME",
        "SLURM_SUBMIT_DIR": "$PWD",
        "SLURM_RESTART_COUNT": "$((GIGAWATT_ATTEMPT - 1))",
        "SLURMD_NODENAME": "$GIGAWATT_NODE",
    },
    by_node={
        "SLURM_PROCID": "$NODE_RANK",
        "SLURM_LOCALID": "0",
        "SLURM_NTASKS": NODE_COUNT,
        "SLURM_NPROCS": NODE_COUNT,
        "SLURM_NTASKS_PER_NODE": "1",
    },
    lookup=re.compile(r"scontrol show hostname|SLURM_(?:JOB_|STEP_)?NODELIST|srun\b.*\bhostname"),
    node_counts=frozenset({"SLURM_NNODES", "SLURM_JOB_NUM_NODES"}),
    rank_counts=frozenset({"SLURM_NTASKS", "SLURM_NPROCS", "WORLD_SIZE"}),
    gpu_counts=frozenset({"SLURM_GPUS_ON_NODE", "SLURM_GPUS_PER_NODE"}),
    srun=True,
)
OF_ARRAYS = {
    "SLURM_ARRAY_JOB_ID": "$GIGAWATT_ARRAY_ID",
    "SLURM_ARRAY_TASK_ID": "$GIGAWATT_ARRAY_INDEX",
    "SLURM_ARRAY_TASK_COUNT": "$GIGAWATT_ARRAY_COUNT",
}
_SHELLS = frozenset({"sh", "bash", "dash", "ksh"})
_SIGNAL = re.compile(r"(?:[BR]+:)?(?:SIG)?([A-Za-z]+[0-9]*|\d+)(?:@(\d+))?")


def from_sbatch(text: str, findings: Findings) -> list[dict[str, Any]]:
    """The job that a batch script describes. Raises RefusalError."""
    lines = lines_of(text)
    interpreter = _interpreter(lines, findings)
    given = read_options(lines, findings)
    for each in given.values():
        if each.name in TOLD:
            findings.note(each.key, each.line, "has no counterpart", TOLD[each.name])
    options = _Options(given, findings)
    job: dict[str, Any] = {"kind": "job"}
    if name := options.name():
        job["name"] = name
    job.update(_program(lines, interpreter, options, findings))
    job["bundle"] = given["chdir"].value if "chdir" in given else "."
    job.update(options.rest())
    return [job]


class _Options:
    """The values of the options, each checked when it is asked for. All methods raise RefusalError."""

    def __init__(self, given: Mapping[str, Given], findings: Findings) -> None:
        self._given = given
        self._findings = findings

    def name(self) -> str:
        given = self._given.get("job-name")
        if given is None:
            return ""
        return told_name(given.value, key=given.key, line=given.line, findings=self._findings)

    def shape(self) -> tuple[int, int, int]:
        """Nodes at least and at most, and tasks on each."""
        low, high = self._nodes()
        per_node = self._count("ntasks-per-node")
        tasks = self._count("ntasks")
        if per_node and tasks and "nodes" not in self._given:
            low = high = -(-tasks // per_node)
        if tasks and not per_node:
            if tasks % low or high != low:
                raise self._wrong(
                    "ntasks",
                    f"is {tasks}, and {tasks} tasks on {low} nodes are not the same number on each",
                    "every node of a gang runs as many ranks: write --ntasks-per-node",
                )
            per_node = tasks // low
        elif tasks and per_node and low == high and tasks != low * per_node:
            detail = f"is {tasks}, and {low} nodes with {per_node} tasks each are {low * per_node}"
            raise self._wrong("ntasks", detail, "make them agree, or leave --ntasks out")
        return low, high, per_node or 1

    def gpus(self, nodes: int, tasks: int) -> int:
        """GPUs of each node."""
        if "gpus-per-node" in self._given:
            return self._typed("gpus-per-node")
        if "gres" in self._given:
            return self._gres()
        if "gpus-per-task" in self._given:
            return self._typed("gpus-per-task") * tasks
        if "gpus" not in self._given:
            return 0
        total = self._typed("gpus")
        if total % nodes:
            detail = f"is {total}, which {nodes} nodes cannot have the same number of"
            raise self._wrong("gpus", detail, "write --gpus-per-node")
        return total // nodes

    def gang(self, low: int, high: int, tasks: int, gpus: int) -> dict[str, Any]:
        """The gang without its ranks."""
        cpus = (self._count("cpus-per-task") or 1) * tasks
        gang: dict[str, Any] = {"nodes": low if low == high else {"min": low, "max": high}}
        gang["cpus"] = cpus
        if kib := self._memory(cpus, gpus):
            gang["memory"] = shown_memory(kib)
        if gpus:
            gang["gpus"] = gpus
        return gang

    def literals(self, gpus: int) -> dict[str, str]:
        """Slurm's variables whose values the options say, or that only an array has."""
        cpus = self._count("cpus-per-task")
        found = {"SLURM_GPUS_ON_NODE": str(gpus), "SLURM_GPUS_PER_NODE": str(gpus)}
        if cpus:
            found["SLURM_CPUS_PER_TASK"] = str(cpus)
        return {**found, **OF_ARRAYS} if "array" in self._given else found

    def rest(self) -> dict[str, Any]:
        """The fields beside the gang and the program."""
        found: dict[str, Any] = {}
        if env := self._export():
            found["env"] = env
        if seconds := self._timeout():
            found["timeout"] = shown_span(seconds)
        if grace := self._grace():
            found["grace"] = shown_span(grace)
        if "array" in self._given:
            found["array"] = self._given["array"].value  # Slurm's words for it are ours
        if "no-requeue" in self._given and "requeue" not in self._given:
            found["retries"] = {"infrastructure": 0}
        return found

    def _nodes(self) -> tuple[int, int]:
        given = self._given.get("nodes")
        if given is None:
            return 1, 1
        low, dash, high = given.value.partition("-")
        ends = (low, high if dash else low)
        if not all(each.isdecimal() and int(each) for each in ends) or int(ends[0]) > int(ends[1]):
            raise self._wrong(
                "nodes", f"is not a number of nodes: {given.value!r}", "write 2 or 2-4"
            )
        return int(ends[0]), int(ends[1])

    def _count(self, name: str) -> int:
        """0 where the option is not given."""
        given = self._given.get(name)
        if given is None:
            return 0
        if not given.value.isdecimal() or not int(given.value):
            raise self._wrong(name, f"must be a whole number above 0, got {given.value!r}")
        return int(given.value)

    def _typed(self, name: str) -> int:
        """The number of `[type:]number`; a type is told."""
        given = self._given[name]
        kind, _, number = given.value.rpartition(":")
        if not number.isdecimal():
            raise self._wrong(name, f"must be a number or type:number, got {given.value!r}")
        if kind:
            detail = f"asks for GPUs of type {kind!r}, and takes any"
            self._findings.note(given.key, given.line, detail, KINDS_ADVICE)
        return int(number)

    def _gres(self) -> int:
        given = self._given["gres"]
        total = 0
        for each in given.value.split(","):
            kind, *parts = each.partition("(")[0].split(":")
            if kind.removeprefix("gres/") != "gpu":
                self._findings.note(
                    given.key, given.line, f"{each!r} has no counterpart", "leave it out"
                )
                continue
            if len(parts) > 2 or (parts and len(parts) == 2 and not parts[1].isdecimal()):
                raise self._wrong(
                    "gres", f"is not understood: {each!r}", "write gpu:2 or gpu:type:2"
                )
            if parts and not parts[0].isdecimal():
                detail = f"asks for GPUs of type {parts[0]!r}, and takes any"
                self._findings.note(given.key, given.line, detail, KINDS_ADVICE)
            total += int(parts[-1]) if parts and parts[-1].isdecimal() else 1
        return total

    def _memory(self, cpus: int, gpus: int) -> int:
        """KiB of each node; 0 where nothing is asked for."""
        for name, times in (("mem", 1), ("mem-per-cpu", cpus), ("mem-per-gpu", gpus)):
            given = self._given.get(name)
            if given is None:
                continue
            kib = slurm_kib(given.value)
            if kib is None:
                raise self._wrong(name, f"is not an amount of memory: {given.value!r}", MEMORY_HINT)
            if kib == 0:
                detail = "means all memory of a node"
                self._findings.note(
                    given.key, given.line, detail, "write gang.memory if it matters"
                )
            return kib * times
        return 0

    def _timeout(self) -> int:
        given = self._given.get("time")
        if given is None:
            return 0
        seconds = slurm_time_s(given.value)
        if seconds is None:
            raise self._wrong("time", f"is not a time: {given.value!r}", TIME_HINT)
        return seconds

    def _grace(self) -> int:
        """Seconds between the warning and the end."""
        given = self._given.get("signal")
        if given is None:
            return 0
        match = _SIGNAL.fullmatch(given.value)
        if match is None:
            detail = f"is not a signal and a time: {given.value!r}"
            raise self._wrong("signal", detail, "write e.g. B:USR1@120")
        seconds = min(int(match.group(2) or 60), GRACE_S_MAX)
        if match.group(1).upper() not in {"TERM", "15"}:
            detail = f"ranks are sent SIGTERM, not {match.group(1)}, {seconds} s before SIGKILL"
            self._findings.note(given.key, given.line, detail, "catch SIGTERM in the program")
        return seconds

    def _export(self) -> dict[str, str]:
        given = self._given.get("export")
        if given is None or given.value in {"NONE", "NIL"}:
            return {}
        values: dict[str, Any] = {}
        for each in given.value.split(","):
            name, equals, value = each.partition("=")
            if name == "ALL":
                detail = "the variables of the shell that submits are not taken along"
                self._findings.note(
                    given.key, given.line, detail, "write those that matter under env"
                )
            elif name:
                values[name] = value if equals else None
        return env_of(
            values,
            key=given.key,
            line_of=lambda _: given.line,
            replica=False,
            findings=self._findings,
        )

    def _wrong(self, name: str, detail: str, hint: str = "") -> Exception:
        return self._findings.refusal(f"--{name}", self._given[name].line, detail, hint)


def _interpreter(lines: list[Line], findings: Findings) -> str:
    """The program that runs the script, empty for a shell. Raises RefusalError where the file is no batch script."""
    first = lines[0].text if lines else ""
    if not first.startswith("#!"):
        hint = "a batch script begins with #!/bin/bash, and sbatch refuses it otherwise"
        raise findings.refusal("the first line", 1, "is not #! and an interpreter", hint)
    words = first[2:].split()
    named = [word for word in words if not word.endswith("/env") and not word.startswith("-")]
    program = named[0].rsplit("/", 1)[-1] if named else "sh"
    if "-l" in words or "--login" in words:
        detail = "a login shell reads the profile; ranks do not"
        findings.note("#!", 1, detail, "write `source ~/.bashrc` or what the script needs of it")
    return "" if program in _SHELLS else " ".join(named)


def _program(
    lines: list[Line], interpreter: str, options: _Options, findings: Findings
) -> dict[str, Any]:
    """What runs, and the gang that runs it."""
    low, high, tasks = options.shape()
    gpus = options.gpus(low, tasks)
    gang = options.gang(low, high, tasks, gpus)
    if interpreter:
        file = findings.source.rsplit("/", 1)[-1]
        return {"command": [*interpreter.split(), file], "gang": _alone(gang, findings)}
    body, start = _body(lines)
    plan = Plan(
        nodes=high,
        ranks_per_node=tasks,
        gpus=gpus,
        literals=options.literals(gpus),
        first_line=start,
    )
    understood = understand(body, plan, DIALECT, findings)
    if not understood.by_srun:
        gang = _alone(gang, findings)
    if not understood.launched:
        understood = replace(understood, ranks_per_node=1)
    return {"script": understood.script, **understood.fields(gang)}


def _alone(gang: dict[str, Any], findings: Findings) -> dict[str, Any]:
    """The gang of a script that starts nothing by srun: one node."""
    if gang["nodes"] != 1:
        detail = "the script starts nothing on other nodes that is understood; it is one node now"
        advice = "write gang.nodes and gang.ranks_per_node, and let the script run one rank"
        findings.note("--nodes", 0, detail, advice)
    return {**gang, "nodes": 1}


def _body(lines: list[Line]) -> tuple[str, int]:
    """The script without directives and `#!`, and the line on which it begins."""
    kept = [
        line
        for line in lines
        if not line.text.startswith((DIRECTIVE + " ", DIRECTIVE + "\t", "#!"))
    ]
    while kept and not kept[0].text.strip():
        kept = kept[1:]
    if not kept:
        return "", 1
    return "\n".join(_spaced(lines, kept[0].number)), kept[0].number


def _spaced(lines: list[Line], start: int) -> list[str]:
    """Every line from `start` on, directives as empty ones, so that numbers stay true."""
    return [
        "" if line.text.startswith(DIRECTIVE) else line.text
        for line in lines
        if line.number >= start
    ]
