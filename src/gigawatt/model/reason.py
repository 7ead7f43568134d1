"""Why not: a typed reason with the numbers that disagree. CLI, console and API print the same one."""

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    NO_NODES = "no_nodes"  # the cluster has no node at all yet
    IMPOSSIBLE = "impossible"  # no cluster of this size could ever hold it
    RESOURCES_BUSY = "resources_busy"  # it fits an empty cluster; others use what it needs
    NODES_UNAVAILABLE = "nodes_unavailable"  # it would fit if cordoned or down nodes came back
    GPU_KIND = "gpu_kind"  # no node has the kinds of GPU it names
    AVOIDED_NODES = "avoided_nodes"  # it would fit on nodes that its own failures made suspect
    HELD_FOR_HEAD = "held_for_head"  # it fits; the nodes are kept for a gang that waited longer
    BEHIND_HEAD = "behind_head"  # the policy starts nothing past a gang that waits
    HOLD_AHEAD = "hold_ahead"  # it starts at the time of its own hold, which has not come
    BEING_FREED = "being_freed"  # a plan frees its nodes; those on them are given time to save
    OUTSIDE_WINDOW = "outside_window"  # its windows do not include now
    NOT_CONSIDERED = (
        "not_considered"  # one cycle's work ended before its turn; the next goes on there
    )
    DEPENDENCY = "dependency"  # a job it comes after has not ended
    ENVIRONMENT = "environment"  # its environment is being built
    APART = "apart"  # it fits only beside gangs that it keeps apart from, or they from it
    RESERVED = "reserved"  # it fits only on nodes that are set aside for others before it would end
    POWER = "power"  # it fits; a feed of its nodes carries no more
    LIMIT = "limit"  # its project, or one that holds it, would use more than it may
    QUOTA_EXCEEDED = (
        "quota_exceeded"  # a project that does not borrow would use more than its quota
    )
    BUDGET = "budget"  # the budget of its project, or of its tenant, is spent
    STOPPING = "stopping"  # its last attempt is still being stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """`need` and `have` are amounts of `resource` in its own unit (nodes, milli_gpu, milli_cpu, memory_bytes, milliwatts, jobs)."""

    code: ReasonCode
    resource: str = ""
    need: int = 0
    have: int = 0
    detail: str = ""
