"""What an answered request counts as: in the spool, in its key's limits, in the metrics and the endpoint's demand."""

from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.meter import NO_USAGE
from gigawatt.gateway.relay import ERROR_FROM
from gigawatt.gateway.request import Request
from gigawatt.gateway.usage import Usage
from gigawatt.gateway.wiring import Wiring


def meter(
    wiring: Wiring,
    endpoint: Endpoint,
    request: Request,
    usage: Usage | None,
    *,
    status: int,
    whole: bool,
) -> None:
    """A replica has answered, the `whole` of its reply or a part; errors are not billed."""
    endpoint_id, metrics = endpoint.config.id, wiring.metrics
    endpoint.tally.requests += 1
    good, key = status < ERROR_FROM, request.key
    assert key is not None
    counted = not good or wiring.meter.add(key, endpoint.config, request.model, usage)
    settle(wiring, request, usage if good else NO_USAGE)
    if good and not (counted and (usage or not whole)):
        metrics.unmetered.add(endpoint_id)
    if usage is None:
        return
    endpoint.tally.add(usage)
    metrics.add_tokens(endpoint_id, usage)


def settle(wiring: Wiring, request: Request, usage: Usage | None) -> None:
    """Give back what the request took of its limits and did not use; None where what it used is not known."""
    grant, request.grant = request.grant, None
    if grant is not None:
        grant.settle(usage, now_s=wiring.monotonic_s())
