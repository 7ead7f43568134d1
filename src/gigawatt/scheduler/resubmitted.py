"""Whether a change of what a gang asks holds good if the gang is taken back and submitted again: at the end of the line."""

from dataclasses import replace
from typing import Any

import numpy as np

from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.scheduler.decide import finish
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.snapshot import CPU, GPU, MEMORY, NONE, GangColumns, Snapshot
from gigawatt.scheduler.terms import terms_of

AMOUNTS = {"gang.gpus": (GPU, 1000), "gang.cpus": (CPU, 1000), "gang.memory": (MEMORY, 1)}
TERMS = frozenset({"gang.apart", "gang.spread", "gang.segment"})  # these are taken at their word


def starts_anew(snapshot: Snapshot, row: int, field: str, value: Any, policy: Policy) -> bool:
    """Whether the gang of this row starts in a line in which it comes last, with `field` of the job file at `value`."""
    if field in TERMS:
        return True
    gangs = _changed(snapshot.gangs, row, field, value)
    queued_ms_G = gangs.queued_ms_G.copy()
    queued_ms_G[row] = snapshot.now_ms
    line = replace(snapshot, gangs=replace(gangs, queued_ms_G=queued_ms_G))
    return any(start.gang == gangs.ids[row] for start in finish(line, policy).started().starts)


def _changed(gangs: GangColumns, row: int, field: str, value: Any) -> GangColumns:
    if field in AMOUNTS:
        kind, unit = AMOUNTS[field]
        per_node_GK = gangs.per_node_GK.copy()
        per_node_GK[row, kind] = round(value * unit)
        return replace(gangs, per_node_GK=per_node_GK)
    match field:
        case "gang.nodes" | "gang.nodes.min":
            held = terms_of(gangs.term_lists[int(gangs.terms_G[row])]).held_nodes(value)
            gangs = replace(gangs, nodes_min_G=_set(gangs.nodes_min_G, row, held))
            if field == "gang.nodes.min":
                return gangs
            return replace(gangs, nodes_max_G=_set(gangs.nodes_max_G, row, held))
        case "timeout":
            return replace(gangs, duration_ms_G=_set(gangs.duration_ms_G, row, 1000 * value))
        case "gang.same":
            level = TOPOLOGY_LEVELS.index(value) if value else NONE
            return replace(gangs, same_G=_set(gangs.same_G, row, level))
        case "gang.gpu_kinds":
            lists = (*gangs.kind_lists, value)
            return replace(
                gangs, kind_lists=lists, kinds_G=_set(gangs.kinds_G, row, len(lists) - 1)
            )
        case _:
            raise AssertionError(field)


def _set(column: Any, row: int, value: int) -> Any:
    changed = np.array(column)
    changed[row] = value
    return changed
