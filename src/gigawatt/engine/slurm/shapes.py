"""What slurmrestd says and takes, in each version of its data that is known. Pure.

Up to v0.0.38 (Slurm 22.05) states are words and numbers are numbers. From v0.0.39 on what may be unset is
`{"set", "infinite", "number"}`, and states are lists of base and flags. https://slurm.schedmd.com/rest_api.html
"""

import re
from collections.abc import Sequence
from typing import Any, cast

from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.hostlist import expand
from gigawatt.engine.slurm.tables import ENDED, SlurmJob, SlurmNode, gpu_count, tres_amounts
from gigawatt.engine.slurm.users import PATH

Raw = dict[str, Any]

NEWEST, OLDEST = 46, 38  # v0.0.N, as of Slurm 26.05 and 22.05
PLAIN = 38  # the last without {"set", "infinite", "number"}
SLASHED = 40  # the first that has gres/gpu for gres:gpu
WITHIN = 41  # the first whose script belongs to the job
OPTIONS = {  # of sbatch, by what the REST interface calls them
    "--account": "account",
    "--comment": "comment",
    "--constraint": "constraints",
    "--licenses": "licenses",
    "--partition": "partition",
    "--qos": "qos",
    "--reservation": "reservation",
    "--wckey": "wckey",
}
SHORT = {
    "-A": "--account",
    "-C": "--constraint",
    "-L": "--licenses",
    "-p": "--partition",
    "-q": "--qos",
}


def node_of(raw: Raw) -> SlurmNode:
    """Raises KeyError, TypeError, ValueError."""
    states = _words(raw["state"]) + _words(raw.get("state_flags"))
    gpu_kind, gpus = gpu_count(str(raw.get("gres") or ""))
    return SlurmNode(
        name=str(raw["name"]),
        address=str(raw.get("address") or raw["name"]),
        states=tuple(sorted({word.lower() for word in states})),
        answers="NOT_RESPONDING" not in states,
        cpus=number(raw["cpus"]),
        allocated_cpus=number(raw["alloc_cpus"]),
        memory_mib=number(raw["real_memory"]),
        allocated_mib=number(raw["alloc_memory"]),
        gpu_kind=gpu_kind,
        gpus=gpus,
        allocated_gpus=gpu_count(str(raw.get("gres_used") or ""))[1],
        features=_words(raw.get("features")),
        reason=str(raw.get("reason") or ""),
    )


def partitions_of(raw: Raw) -> tuple[str, ...]:
    """That a node is in."""
    return _words(raw.get("partitions"))


def job_of(raw: Raw) -> SlurmJob:
    """Raises KeyError, TypeError, ValueError."""
    amounts = tres_amounts(str(raw.get("tres_alloc_str") or ""))
    return SlurmJob(
        id=number(raw["job_id"]),
        state=_state(_words(raw["job_state"])),
        name=str(raw["name"]),
        nodes=expand(str(raw.get("nodes") or "")),
        cpus=amounts[0],
        memory_mib=amounts[1],
        reason=str(raw.get("state_reason") or ""),
    )


def number(raw: Any) -> int:
    """Plain, or of a structure that says whether it is set: 0 where it is not. Raises TypeError, ValueError."""
    if isinstance(raw, dict):
        known = cast("Raw", raw)
        return int(known["number"]) if known.get("set") else 0
    return int(raw)


def submission(batch: Batch, version: int) -> Raw:
    """What is posted for a job. Raises ValueError for an option that has no place in it."""
    common: Raw = {
        "name": batch.name,
        "tasks_per_node": 1,
        "cpus_per_task": batch.cpus,
        "standard_output": batch.output,
        "current_working_directory": "/",
        **option_fields(batch.options),
    }
    if version <= PLAIN:
        return {"script": batch.script, "job": _plain(common, batch)}
    job = _structured(common, batch)
    if batch.gres:
        job["tres_per_node"] = f"gres{':' if version < SLASHED else '/'}{batch.gres}"
    if version < WITHIN:
        return {"script": batch.script, "job": job}
    return {"job": {**job, "script": batch.script}}


def option_fields(options: Sequence[str]) -> dict[str, str]:
    """The operator's options for sbatch, as fields of a job. Raises ValueError."""
    found: dict[str, str] = {}
    words = list(options)
    while words:
        name, equals, value = words.pop(0).partition("=")
        if not name.startswith("--"):
            name, value = SHORT.get(name[:2], name), name[2:]
            equals = value
        if not equals:
            value = words.pop(0) if words else ""
        if name not in OPTIONS or not value:
            known = ", ".join(OPTIONS)
            raise ValueError(f"by REST sbatch's {name} cannot be asked for, but {known} can")
        found[OPTIONS[name]] = value
    return found


def errors_of(raw: Raw) -> list[tuple[int, str]]:
    """Numbers and texts. Before v0.0.39 a number has one name in some answers and another in others."""
    found: list[Raw] = raw.get("errors") or []
    return [
        (
            int(each.get("error_number") or each.get("error_code") or 0),
            ": ".join(str(each[name]) for name in ("error", "description") if each.get(name)),
        )
        for each in found
    ]


def _plain(common: Raw, batch: Batch) -> Raw:
    """Of v0.0.38, which takes sbatch's names for some that its own description leaves out."""
    job: Raw = {
        **common,
        "nodes": [len(batch.nodes), len(batch.nodes)],
        "nodelist": ",".join(batch.nodes),
        "no_requeue": True,
        "open_mode": "append",
        "environment": _environ(batch),
    }
    if batch.memory_mib:
        job["memory_per_node"] = batch.memory_mib
    if batch.gres:
        job["gres"] = f"gres:{batch.gres}"
    return job


def _structured(common: Raw, batch: Batch) -> Raw:
    job: Raw = {
        **common,
        "nodes": str(len(batch.nodes)),
        "required_nodes": list(batch.nodes),
        "requeue": False,
        "open_mode": ["APPEND"],
        "environment": [f"{name}={value}" for name, value in _environ(batch).items()],
    }
    if batch.memory_mib:
        job["memory_per_node"] = {"set": True, "infinite": False, "number": batch.memory_mib}
    return job


def _environ(batch: Batch) -> dict[str, str]:
    """There must be some."""
    return batch.user.environ if batch.user else {"PATH": PATH}


def _state(words: tuple[str, ...]) -> str:
    """As squeue has it: that a job is ending comes before how it ends."""
    if "COMPLETING" in words:
        return "COMPLETING"
    return next((word for word in words if word in ENDED), words[0])


def _words(raw: Any) -> tuple[str, ...]:
    """Of a list, or of a text with commas."""
    if isinstance(raw, list):
        return tuple(map(str, cast("list[Any]", raw)))
    return tuple(word for word in re.split(r"[,+]", str(raw or "")) if word not in {"", "(null)"})
