"""Volumes and data sets: /v1/volumes, with versions, their files and what they differ in."""

from starlette.responses import FileResponse, Response

from gigawatt.api.call import Call
from gigawatt.api.file_queries import Files, InVersion, Versions
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Comparing, Listing, Place
from gigawatt.api.ranges import bytes_reply
from gigawatt.api.replies import page_reply, reply
from gigawatt.service import datasets, s3_volumes, volumes
from gigawatt.service.views.text import PageView
from gigawatt.service.views.volumes import (
    PushCheckView,
    VolumeDiffView,
    VolumeFileView,
    VolumeVersionView,
    VolumeView,
)
from gigawatt.spec.requests import (
    PathVolumeRequest,
    PushCheckRequest,
    PushRequest,
    QuotaRequest,
    S3VolumeRequest,
    VolumeRequest,
    parse_name,
    parse_request,
)

ROUTES = Routes()
BYTES = "application/octet-stream"
CHUNK_BYTES = 1 << 20  # of a file, for each way through the loop
VERSION = "/v1/volumes/{name}/versions/{selector}"


@ROUTES.add(
    "POST",
    "/v1/volumes",
    Operation(
        verb="volumes.create",
        summary="Create a volume",
        responds=VolumeView,
        status=201,
        accepts=VolumeRequest,
        writes=True,
    ),
)
async def create_volume(call: Call, query: Place) -> Response:
    request = parse_request(VolumeRequest, await call.body())
    terms = await call.terms()
    view = await volumes.create(
        call.caller, call.services, request, project=query.project, terms=terms
    )
    return reply(view, status=201, location=f"/v1/volumes/{view.name}")


@ROUTES.add(
    "POST",
    "/v1/volumes/{name}/path",
    Operation(
        verb="volumes.create_path",
        summary="Create a volume that is a directory of the nodes",
        responds=VolumeView,
        status=201,
        accepts=PathVolumeRequest,
        writes=True,
    ),
)
async def create_path_volume(call: Call, name: str, query: Place) -> Response:
    request = parse_request(PathVolumeRequest, await call.body())
    terms = await call.terms()
    view = await volumes.create_path(
        call.caller,
        call.services,
        parse_name(name),
        request.path,
        project=query.project,
        terms=terms,
    )
    return reply(view, status=201, location=f"/v1/volumes/{view.name}")


@ROUTES.add(
    "POST",
    "/v1/volumes/{name}/s3",
    Operation(
        verb="s3_volumes.create",
        summary="Create a volume of what a bucket holds, which is its first version",
        responds=VolumeView,
        status=201,
        accepts=S3VolumeRequest,
        writes=True,
    ),
)
async def create_s3_volume(call: Call, name: str, query: Place) -> Response:
    request = parse_request(S3VolumeRequest, await call.body())
    terms = await call.terms()
    view = await s3_volumes.create(
        call.caller, call.services, parse_name(name), request, project=query.project, terms=terms
    )
    return reply(view, status=201, location=f"/v1/volumes/{view.name}")


@ROUTES.add(
    "POST",
    "/v1/volumes/{name}/refresh",
    Operation(
        verb="s3_volumes.refresh",
        summary="Make what a bucket holds now the next version; what the newest has already makes none",
        responds=VolumeVersionView,
        status=201,
        also={200: VolumeVersionView},
        writes=True,
    ),
)
async def refresh_volume(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    view, new = await s3_volumes.refresh(
        call.caller, call.services, name, project=query.project, terms=terms
    )
    return reply(view, status=201 if new else 200)


@ROUTES.add(
    "GET",
    "/v1/volumes",
    Operation(verb="volumes.page", summary="List volumes", responds=PageView[VolumeView]),
)
async def list_volumes(call: Call, query: Listing) -> Response:
    return page_reply(await volumes.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/volumes/{name}",
    Operation(verb="volumes.show", summary="Show a volume", responds=VolumeView),
)
async def show_volume(call: Call, name: str, query: Place) -> Response:
    view = await volumes.show(call.caller, call.services, name, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "PUT",
    "/v1/volumes/{name}/quota",
    Operation(
        verb="volumes.set_quota",
        summary="Set what a volume's versions may hold together",
        responds=VolumeView,
        accepts=QuotaRequest,
        writes=True,
        versioned=True,
    ),
)
async def set_volume_quota(call: Call, name: str, query: Place) -> Response:
    request = parse_request(QuotaRequest, await call.body())
    terms = await call.terms()
    view = await volumes.set_quota(
        call.caller, call.services, name, request.quota, project=query.project, terms=terms
    )
    return reply(view, version=view.version)


@ROUTES.add(
    "DELETE",
    "/v1/volumes/{name}",
    Operation(
        verb="volumes.remove",
        summary="Delete a volume with its versions",
        responds=VolumeView,
        writes=True,
        versioned=True,
    ),
)
async def delete_volume(call: Call, name: str, query: Place) -> Response:
    terms = await call.terms()
    view = await volumes.remove(
        call.caller, call.services, name, project=query.project, terms=terms
    )
    return reply(view)


@ROUTES.add(
    "POST",
    "/v1/volumes/{name}/check",
    Operation(
        verb="datasets.check",
        summary="Say what a push would have to send, or that it is over a quota",
        responds=PushCheckView,
        accepts=PushCheckRequest,
    ),
)
async def check_push(call: Call, name: str, query: Place) -> Response:
    request = parse_request(PushCheckRequest, await call.body())
    view = await datasets.check(call.caller, call.services, name, request, project=query.project)
    return reply(view)


@ROUTES.add(
    "POST",
    "/v1/volumes/{name}/versions",
    Operation(
        verb="datasets.register",
        summary="Make a stored tree the next version; what the newest is already makes none",
        responds=VolumeVersionView,
        status=201,
        also={200: VolumeVersionView},
        accepts=PushRequest,
        writes=True,
    ),
)
async def push_version(call: Call, name: str, query: Place) -> Response:
    request = parse_request(PushRequest, await call.body())
    terms = await call.terms()
    view, new = await datasets.register(
        call.caller, call.services, name, request, project=query.project, terms=terms
    )
    return reply(view, status=201 if new else 200)


@ROUTES.add(
    "GET",
    "/v1/volumes/{name}/versions",
    Operation(
        verb="datasets.page",
        summary="List a volume's versions, newest first",
        responds=PageView[VolumeVersionView],
    ),
)
async def list_versions(call: Call, name: str, query: Versions) -> Response:
    found = await datasets.page(
        call.caller, call.services, name, query.filters(), project=query.project
    )
    return page_reply(found)


@ROUTES.add(
    "GET",
    VERSION,
    Operation(
        verb="datasets.show",
        summary="Show a version: a number or `latest`",
        responds=VolumeVersionView,
    ),
)
async def show_version(call: Call, name: str, selector: str, query: Place) -> Response:
    return reply(
        await datasets.show(call.caller, call.services, name, selector, project=query.project)
    )


@ROUTES.add(
    "DELETE",
    VERSION,
    Operation(
        verb="datasets.remove",
        summary="Delete a version; its number is not given again",
        responds=VolumeVersionView,
        writes=True,
    ),
)
async def delete_version(call: Call, name: str, selector: str, query: Place) -> Response:
    terms = await call.terms()
    view = await datasets.remove(
        call.caller, call.services, name, selector, project=query.project, terms=terms
    )
    return reply(view)


@ROUTES.add(
    "GET",
    f"{VERSION}/files",
    Operation(
        verb="datasets.files",
        summary="List a version's files by path",
        responds=PageView[VolumeFileView],
    ),
)
async def list_files(call: Call, name: str, selector: str, query: Files) -> Response:
    found = await datasets.files(
        call.caller, call.services, name, selector, query.wanted(), project=query.project
    )
    return page_reply(found)


@ROUTES.add(
    "GET",
    f"{VERSION}/file",
    Operation(
        verb="datasets.file_content",
        summary="Read a file of a version, whole or a range of it",
        media_type=BYTES,
    ),
)
async def read_file(call: Call, name: str, selector: str, query: InVersion) -> Response:
    found = await datasets.file_content(
        call.caller, call.services, name, selector, query.path, project=query.project
    )
    if found.path is None:
        assert found.read is not None, "a file is on the disk or in a bucket"
        asked = call.request.headers.get("range", "")
        return await bytes_reply(
            found.read, found.file.size_bytes, asked, etag=f"s3:{found.file.etag}"
        )
    headers = {"ETag": f'"sha256:{found.file.sha256}"'}
    response = FileResponse(found.path, media_type=BYTES, headers=headers)
    response.chunk_size = CHUNK_BYTES
    return response


@ROUTES.add(
    "GET",
    f"{VERSION}/diff",
    Operation(
        verb="datasets.diff",
        summary="Show in what the version `to` differs from this one",
        responds=VolumeDiffView,
    ),
)
async def diff_versions(call: Call, name: str, selector: str, query: Comparing) -> Response:
    return reply(
        await datasets.diff(
            call.caller, call.services, name, selector, query.to, project=query.project
        )
    )
