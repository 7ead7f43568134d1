"""What `gw top` shows at one moment: gathered by the SDK, narrowed and sorted as a person asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.endpoint_views import EndpointView
    from gigawatt.sdk.fleet_views import FleetCountView
    from gigawatt.sdk.views import JobView, LedgerView, NodeView

HOUR_MS = 3_600_000
ROWS_MAX = 200  # of each kind that are asked for
RUNNING = ("starting", "running", "stopping", "saving")
WAITING = ("blocked", "preparing", "queued")
UNHEALTHY = ("cordoned", "draining", "down", "checking", "empty", "repair")
NOT_HELD = frozenset({"idle", "reserved_idle", "drained", "down", "tested", "held"})
KEPT = ("useful", "serving")


class Look(TypedDict):
    """`goodput` is kept work over what gangs held in the last hour, None where they held nothing; `more` says that there
    are more rows of a kind than are here.
    """

    at_ms: int
    fleet: "FleetCountView"
    goodput: float | None
    ledger: "LedgerView"
    running: "list[JobView]"
    waiting: "list[JobView]"
    endpoints: "list[EndpointView]"
    nodes: "list[NodeView]"
    more: dict[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What an endpoint did a second, between two looks."""

    requests: float
    tokens: float


def look(client: "Client", now_ms: int) -> Look:
    """Everything, asked anew. Raises ApiError, UnreachableError."""
    running = client.jobs.page(phase=RUNNING, limit=ROWS_MAX)
    waiting = client.jobs.page(phase=WAITING, limit=ROWS_MAX)
    endpoints = client.endpoints.page(limit=ROWS_MAX)
    nodes = client.nodes.page(phase=UNHEALTHY, limit=ROWS_MAX)
    ledger = client.ledger.totals(since=max(now_ms - HOUR_MS, 0))
    more = {
        "running": bool(running["next"]),
        "waiting": bool(waiting["next"]),
        "endpoints": bool(endpoints["next"]),
        "nodes": bool(nodes["next"]),
    }
    return Look(
        at_ms=now_ms,
        fleet=client.fleet.show()["count"],
        goodput=goodput(ledger["classes"]),
        ledger=ledger,
        running=running["items"],
        waiting=sorted(waiting["items"], key=_place),
        endpoints=[each for each in endpoints["items"] if each["phase"] != "stopped"],
        nodes=nodes["items"],
        more=more,
    )


def goodput(classes: Mapping[str, int]) -> float | None:
    """Kept work over what gangs held; None where they held nothing."""
    held = sum(amount for name, amount in classes.items() if name not in NOT_HELD)
    return sum(classes.get(name, 0) for name in KEPT) / held if held > 0 else None


def rates(before: Look | None, now: Look) -> dict[str, Rate]:
    """By endpoint, between two looks; none at the first, nor where counters began anew."""
    span_s = (now["at_ms"] - before["at_ms"]) / 1_000 if before else 0
    if before is None or span_s <= 0:
        return {}
    earlier = {each["id"]: each for each in before["endpoints"]}
    found: dict[str, Rate] = {}
    for each in now["endpoints"]:
        old = earlier.get(each["id"])
        if old is None or each["requests"] < old["requests"]:
            continue
        tokens = each["completion_tokens"] - old["completion_tokens"]
        requests = each["requests"] - old["requests"]
        found[each["id"]] = Rate(requests=requests / span_s, tokens=max(tokens, 0) / span_s)
    return found


def gpus_of(job: "JobView") -> float:
    """The GPUs that a job holds, or wants."""
    return job["gang"]["gpus"] * job["gang"]["nodes"]


SORTS: Mapping[str, Callable[["JobView"], Any]] = {
    "age": lambda job: job["created_ms"],
    "gpus": lambda job: (-gpus_of(job), -job["gang"]["nodes"], job["created_ms"]),
    "name": lambda job: (job["name"], job["created_ms"]),
    "project": lambda job: (job["tenant"], job["project"], job["created_ms"]),
}


def arranged(jobs: "list[JobView]", *, sort: str, reverse: bool, words: str) -> "list[JobView]":
    """Those in which all words are found, in order. The line keeps its own order unless another is asked for."""
    kept = [job for job in jobs if matches(words, job)]
    if sort:
        kept.sort(key=SORTS[sort], reverse=reverse)
    elif reverse:
        kept.reverse()
    return kept


def matches(words: str, view: Mapping[str, Any]) -> bool:
    """Whether every word is in one of the view's names."""
    names = ("id", "name", "project", "tenant", "phase", "state", "submitted_by", "reason")
    text = " ".join(str(view.get(name, "")) for name in names).lower()
    return all(word in text for word in words.lower().split())


def _place(job: "JobView") -> tuple[int, int]:
    """The line as it is: positions first, and who has none yet after them."""
    position = job["position"]
    return (1 << 60 if position is None else position, job["queued_ms"])
