"""What gateways ask for and tell."""

from typing import Any

from gigawatt import clock
from gigawatt.model.observation import DemandSeen, RevisionSeen
from gigawatt.model.rollout import Seen
from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.spec.requests import DemandReport, RevisionDemand

WAIT_S_MAX = 60.0


@verb
async def configuration(
    caller: Caller, services: Services, *, after: int, wait_s: float
) -> dict[str, Any]:
    """The configuration, once its revision differs from `after` or the wait is over."""
    wait_s = min(max(wait_s, 0.0), WAIT_S_MAX)
    return await services.leader.gateway_config(after=after, wait_s=wait_s)


@verb
async def report_demand(caller: Caller, services: Services, report: DemandReport) -> None:
    """Take in what a gateway counted; endpoints that are gone are passed over."""
    now_ms = clock.now_ms()
    seen = tuple(
        DemandSeen(
            at_ms=now_ms,
            endpoint=each.id,
            in_flight=each.in_flight,
            queued=each.queued,
            last_request_ms=min(each.last_request_ms, now_ms),
            requests_more=each.requests_more,
            prompt_tokens_more=each.prompt_tokens_more,
            completion_tokens_more=each.completion_tokens_more,
            busy_ms_more=tuple(sorted(each.busy_ms_more.items())),
            backlog_tokens=each.backlog_tokens,
            ttft_ms=each.ttft_ms,
            tpot_ms=each.tpot_ms,
            cache_percent=each.cache_percent,
            open=tuple(sorted(each.open)),
            revisions=tuple(
                RevisionSeen(generation=int(generation), seen=_seen(counts))
                for generation, counts in sorted(each.revisions.items())
            ),
        )
        for each in report.endpoints
    )
    await services.leader.demand(seen)


def _seen(counts: RevisionDemand) -> Seen:
    times = sorted((int(bucket), count) for bucket, count in counts.ttft.items())
    return Seen(requests=counts.requests, errors=counts.errors, ttft=tuple(times))
