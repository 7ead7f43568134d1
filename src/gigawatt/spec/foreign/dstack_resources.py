"""The resources of a dstack run, most of them ranges, as the exact amounts that a gang asks for."""

from collections.abc import Mapping
from typing import Any

from gigawatt.spec.foreign.amounts import SIZE_HINT, range_of, shown_memory, size_kib
from gigawatt.spec.foreign.names import KINDS_ADVICE
from gigawatt.spec.foreign.section import Section, told_alike

CLOUD = "nodes are those of the instance; none is rented for a run"


def gang_of(section: Section) -> dict[str, Any]:
    """The gang of `nodes` and `resources`. Raises RefusalError."""
    gang: dict[str, Any] = {"nodes": section.whole("nodes", 1, at_least=1)}
    resources = section.section("resources")
    if resources is None:
        return gang
    disk = "disk is not counted; a full one refuses new work"
    told = {"disk": disk, "shm_size": "ranks share the node's /dev/shm"}
    resources.expect({"cpu", "memory", "gpu"}, told)
    if cpus := _cpus(resources):
        gang["cpus"] = cpus
    if memory := _memory(resources):
        gang["memory"] = memory
    if gpus := _gpus(resources):
        gang["gpus"] = gpus
    return gang


def _ends(section: Section, key: str) -> tuple[str, str]:
    """The ends of a range in text or as `{min, max}`; above the lower one is told."""
    held = section.data.get(key)
    if isinstance(held, Mapping):
        inner = section.section(key)
        assert inner is not None
        inner.expect({"min", "max"}, {})
        low, high = inner.text("min"), inner.text("max")
    else:
        low, high = range_of(section.text(key))
    if low != high and low:
        section.note(key, f"is a range; it is {low} now", "amounts are exact here")
    elif low != high:
        section.note(key, f"has no lower end; it is {high} now", "amounts are exact here")
    return low, high


def _cpus(resources: Section) -> int:
    held = resources.data.get("cpu")
    if isinstance(held, str) and ":" in held:
        architecture, _, held = held.partition(":")
        resources.note("cpu", f"an architecture is not chosen: {architecture}", CLOUD)
        low, high = range_of(held)
    else:
        low, high = _ends(resources, "cpu") if held is not None else ("", "")
    number = low or high
    if number and not number.isdecimal():
        raise resources.wrong("cpu", f"is not a number: {number!r}", "write 4, 4.. or 4..8")
    return int(number or 0)


def _memory(resources: Section) -> str:
    if resources.data.get("memory") is None:
        return ""
    low, high = _ends(resources, "memory")
    kib = size_kib(low or high)
    if kib is None:
        raise resources.wrong("memory", f"is not a size: {low or high!r}", SIZE_HINT)
    return shown_memory(kib)


def _gpus(resources: Section) -> int:
    """How many GPUs each node has. Kind, memory and vendor are told."""
    held = resources.data.get("gpu")
    if held is None:
        return 0
    if isinstance(held, Mapping):
        gpu = resources.section("gpu")
        assert gpu is not None
        kinds = ("name", "memory", "vendor", "total_memory", "compute_capability")
        told = told_alike(KINDS_ADVICE, *kinds)
        gpu.expect({"count"}, told)
        low, high = _ends(gpu, "count") if gpu.data.get("count") is not None else ("1", "1")
    else:
        low, high = _gpu_count(resources)
    number = low or high
    if not number.isdecimal():
        hint = "write a count, or e.g. H100:2, 24GB:1..2"
        raise resources.wrong("gpu", f"is not understood: {held!r}", hint)
    return int(number)


def _gpu_count(resources: Section) -> tuple[str, str]:
    """The count in `vendor:name:memory:count`, each part of which may be missing; 1 where it is."""
    count, named = "1", list[str]()
    for part in resources.text("gpu").replace(" ", "").split(":"):
        if part and all(letter.isdecimal() or letter == "." for letter in part):
            count = part
        elif part:
            named.append(part)
    if named:
        detail = f"asks for {':'.join(named)}, and takes any GPU"
        resources.note("gpu", detail, KINDS_ADVICE)
    low, high = range_of(count)
    if low != high:
        resources.note("gpu", f"is a range of counts; it is {low or high} now", "write gang.gpus")
    return low, high
