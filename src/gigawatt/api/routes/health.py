"""What needs no key: whether the process is alive, whether it serves, and its figures."""

from starlette.requests import Request
from starlette.responses import Response

from gigawatt.api.call import services_of
from gigawatt.api.operations import PUBLIC, Operation, Routes
from gigawatt.api.problems import problem
from gigawatt.api.replies import JSON
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.figures import figures
from gigawatt.telemetry.metrics import CONTENT_TYPE, exposition

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/healthz",
    Operation(verb=PUBLIC, summary="Say whether the process is alive", responds=dict[str, bool]),
)
async def healthz() -> Response:
    return Response(b'{"alive":true}', media_type=JSON)


@ROUTES.add(
    "GET",
    "/readyz",
    Operation(verb=PUBLIC, summary="Say whether it serves", responds=dict[str, bool]),
)
async def readyz(request: Request) -> Response:
    services = services_of(request)
    if services.closing.is_set() or not services.leader.ready:
        return problem(RefusalError(RefusalCode.UNAVAILABLE, "the control plane is not ready"))
    return Response(b'{"ready":true}', media_type=JSON)


@ROUTES.add(
    "GET",
    "/metrics",
    Operation(verb=PUBLIC, summary="Give Prometheus its figures", media_type="text/plain"),
)
async def metrics(request: Request) -> Response:
    samples = await figures(services_of(request))
    return Response(exposition(samples), headers={"Content-Type": CONTENT_TYPE})
