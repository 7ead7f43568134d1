"""What jobs are made of and make: /v1/environments, /v1/artifacts."""

from pathlib import Path

from starlette.responses import FileResponse, Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import InTree, Listing, Nothing, Place, Uploading
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import artifacts, environments
from gigawatt.service.artifacts import Upload
from gigawatt.service.views.registry import ArtifactView, EnvironmentView
from gigawatt.service.views.text import PageView
from gigawatt.spec.environments import parse_environment
from gigawatt.spec.forms import EnvironmentForm

ROUTES = Routes()
BYTES = "application/octet-stream"
CHUNK_BYTES = 1 << 20  # of a file, for each way through the loop


@ROUTES.add(
    "POST",
    "/v1/environments",
    Operation(
        verb="environments.ensure",
        summary="Have an environment built, if it is not there",
        responds=EnvironmentView,
        status=201,
        accepts=EnvironmentForm,
        writes=True,
    ),
)
async def ensure_environment(call: Call, query: Place) -> Response:
    spec = parse_environment(await call.body())
    terms = await call.terms()
    view = await environments.ensure(
        call.caller, call.services, spec, project=query.project, terms=terms
    )
    location = f"/v1/environments/{view.id}"
    return reply(view, status=201, version=view.version, location=location)


@ROUTES.add(
    "GET",
    "/v1/environments",
    Operation(
        verb="environments.page",
        summary="List environments, newest first",
        responds=PageView[EnvironmentView],
    ),
)
async def list_environments(call: Call, query: Listing) -> Response:
    return page_reply(await environments.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/environments/{environment}",
    Operation(verb="environments.show", summary="Show an environment", responds=EnvironmentView),
)
async def show_environment(call: Call, environment: str, query: Nothing) -> Response:
    view = await environments.show(call.caller, call.services, environment)
    return reply(view, version=view.version)


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
    return _file(found.path, headers)


@ROUTES.add(
    "GET",
    "/v1/artifacts/{digest}/file",
    Operation(verb="artifacts.file_content", summary="Read one file of a tree", media_type=BYTES),
)
async def read_artifact_file(call: Call, digest: str, query: InTree) -> Response:
    found = await artifacts.file_content(call.caller, call.services, digest, query.path)
    return _file(found.path, {})


def _file(path: Path, headers: dict[str, str]) -> FileResponse:
    response = FileResponse(path, media_type=BYTES, headers=headers)
    response.chunk_size = CHUNK_BYTES
    return response
