"""What jobs are made of and make: /v1/artifacts, /v1/models."""

from starlette.responses import FileResponse, Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Listing, Place, Uploading
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import artifacts, models
from gigawatt.service.artifacts import Upload
from gigawatt.service.models import AliasChange
from gigawatt.service.views.registry import (
    ArtifactView,
    ModelVersionView,
    ModelView,
)
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import AliasRequest, ModelRequest, parse_alias, parse_request

ROUTES = Routes()
BYTES = "application/octet-stream"


@ROUTES.add(
    "PUT",
    "/v1/artifacts/{digest}",
    Operation(
        verb="artifacts.put",
        summary="Store bytes under their digest",
        responds=ArtifactView,
        also={201: ArtifactView},
        uploads=True,
    ),
)
async def put_artifact(call: Call, digest: str, query: Uploading) -> Response:
    upload = Upload(digest=digest, kind=query.kind, chunks=call.request.stream())
    view, new = await artifacts.put(call.caller, call.services, upload, project=query.project)
    return reply(view, status=201 if new else 200)


@ROUTES.add(
    "HEAD",
    "/v1/artifacts/{digest}",
    Operation(verb="artifacts.show", summary="Say whether an artifact is there"),
)
async def head_artifact(call: Call, digest: str, query: Uploading) -> Response:
    view = await artifacts.show(call.caller, call.services, digest)
    headers = {"ETag": f'"{view.digest}"', "X-Artifact-Kind": view.kind}
    return Response(status_code=200, headers=headers, media_type=BYTES)


@ROUTES.add(
    "GET",
    "/v1/artifacts/{digest}",
    Operation(verb="artifacts.content", summary="Read an artifact", media_type=BYTES),
)
async def read_artifact(call: Call, digest: str, query: Uploading) -> Response:
    found = await artifacts.content(call.caller, call.services, digest)
    headers = {"ETag": f'"{found.view.digest}"', "X-Artifact-Kind": found.view.kind}
    return FileResponse(found.path, media_type=BYTES, headers=headers)


@ROUTES.add(
    "POST",
    "/v1/models",
    Operation(
        verb="models.register",
        summary="Register an artifact as the next version of a model",
        responds=ModelVersionView,
        status=201,
        accepts=ModelRequest,
        writes=True,
    ),
)
async def register_model(call: Call, query: Place) -> Response:
    request = parse_request(ModelRequest, await call.body())
    terms = await call.terms()
    view = await models.register(
        call.caller, call.services, request, project=query.project, terms=terms
    )
    return reply(view, status=201, location=f"/v1/models/{request.name}")


@ROUTES.add(
    "GET",
    "/v1/models",
    Operation(verb="models.page", summary="List models", responds=PageView[ModelView]),
)
async def list_models(call: Call, query: Listing) -> Response:
    return page_reply(await models.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/models/{name}",
    Operation(verb="models.show", summary="Show a model with its versions", responds=ModelView),
)
async def show_model(call: Call, name: str, query: Place) -> Response:
    view = await models.show(call.caller, call.services, name, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/models/{name}/aliases/{alias}",
    Operation(
        verb="models.set_alias",
        summary="Point an alias at a version",
        responds=ModelView,
        accepts=AliasRequest,
        writes=True,
        versioned=True,
    ),
)
async def set_model_alias(call: Call, name: str, alias: str, query: Place) -> Response:
    request = parse_request(AliasRequest, await call.body())
    change = AliasChange(name=name, alias=parse_alias(alias), number=request.number)
    terms = await call.terms()
    view = await models.set_alias(
        call.caller, call.services, change, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/models/{name}/aliases/{alias}",
    Operation(
        verb="models.remove_alias",
        summary="Take an alias away",
        responds=ModelView,
        writes=True,
        versioned=True,
    ),
)
async def remove_model_alias(call: Call, name: str, alias: str, query: Place) -> Response:
    change = AliasChange(name=name, alias=parse_alias(alias), number=0)
    terms = await call.terms()
    view = await models.remove_alias(
        call.caller, call.services, change, project=query.project, terms=terms
    )
    return reply(view, version=view.version)
