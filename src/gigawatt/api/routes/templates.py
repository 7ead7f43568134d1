"""Templates, and jobs that are made of them: /v1/templates."""

from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Numbered, Place, Submit
from gigawatt.api.replies import nothing, page_reply, reply
from gigawatt.service import templates
from gigawatt.service.views.jobs import DryRunView, JobView
from gigawatt.service.views.standing import TemplateView
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import parse_request
from gigawatt.spec.standing import FillingForm, TemplateForm

ROUTES = Routes()


@ROUTES.add(
    "GET",
    "/v1/templates",
    Operation(verb="templates.page", summary="List templates", responds=PageView[TemplateView]),
)
async def list_templates(call: Call, query: Listing) -> Response:
    return page_reply(await templates.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "PUT",
    "/v1/templates/{name}",
    Operation(
        verb="templates.put",
        summary="Make a job file the newest version of a template",
        responds=TemplateView,
        accepts=TemplateForm,
        writes=True,
    ),
)
async def put_template(call: Call, name: str, query: Place) -> Response:
    request = parse_request(TemplateForm, await call.body())
    terms = await call.terms()
    view = await templates.put(
        call.caller, call.services, name, request.file, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/templates/{name}",
    Operation(
        verb="templates.show",
        summary="Show a version of a template, with its parameters",
        responds=TemplateView,
    ),
)
async def show_template(call: Call, name: str, query: Numbered) -> Response:
    view = await templates.show(
        call.caller, call.services, name, number=query.number, project=query.project
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/templates/{name}",
    Operation(
        verb="templates.remove",
        summary="Delete a template",
        status=204,
        writes=True,
        versioned=True,
    ),
)
async def remove_template(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    await templates.remove(call.caller, call.services, name, project=query.project, terms=terms)
    return nothing()


@ROUTES.add(
    "POST",
    "/v1/templates/{name}/jobs",
    Operation(
        verb="templates.submit",
        summary="Submit a job that is made of a template, or try it out",
        responds=JobView,
        status=201,
        also={200: DryRunView},
        dry_run="templates.dry_run",
        accepts=FillingForm,
        writes=True,
    ),
)
async def submit_filled(call: Call, name: str, query: Submit) -> Response:
    request = parse_request(FillingForm, await call.body())
    caller, services = call.caller, call.services
    if query.dry_run:
        found = await templates.dry_run(caller, services, name, request, project=query.project)
        return reply(found)
    terms = await call.terms()
    view = await templates.submit(
        caller, services, name, request, project=query.project, terms=terms
    )
    return reply(view, status=201, version=view.version, location=f"/v1/jobs/{view.id}")
