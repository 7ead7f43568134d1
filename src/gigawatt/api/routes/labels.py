"""Labels of a job: /v1/jobs/{job}/labels."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Place
from gigawatt.api.replies import reply
from gigawatt.service import relabelling
from gigawatt.service.views.jobs import JobView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.standing import LabelsForm

ROUTES = Routes()


@ROUTES.add(
    "POST",
    "/v1/jobs/{job}/labels",
    Operation(
        verb="relabelling.change",
        summary="Give a job labels, and take some from it",
        responds=JobView,
        accepts=LabelsForm,
        writes=True,
        versioned=True,
    ),
)
async def change_labels(call: Call, job: str, query: Place) -> Response:
    request = parse_request(LabelsForm, await call.body())
    terms = await call.terms()
    view = await relabelling.change(
        call.caller, call.services, job, request, project=query.project, terms=terms
    )
    return reply(view, version=view.version)
