"""Files that are sent part by part: /v1/artifacts/{digest}/parts; and small ones, many at a time: /v1/packs."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.file_queries import Finishing, InPart
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import Nothing, Place
from gigawatt.api.replies import reply
from gigawatt.service import uploads
from gigawatt.service.uploads import PartUpload
from gigawatt.service.views.registry import (
    ArtifactView,
    MissingView,
    PackView,
    PartView,
    UploadView,
)
from gigawatt.spec.requests import MissingRequest, parse_request

ROUTES = Routes()
PARTS_MAX = 1 << 20
Number = Annotated[int, Path(ge=0, lt=PARTS_MAX)]


@ROUTES.add(
    "GET",
    "/v1/artifacts/{digest}/parts",
    Operation(
        verb="uploads.show",
        summary="Show which parts of a file are here",
        responds=UploadView,
    ),
)
async def show_parts(call: Call, digest: str, query: Nothing) -> Response:
    return reply(await uploads.show(call.caller, call.services, digest))


@ROUTES.add(
    "PUT",
    "/v1/artifacts/{digest}/parts/{number}",
    Operation(
        verb="uploads.put",
        summary="Send one part of a file",
        responds=PartView,
        uploads=True,
    ),
)
async def put_part(call: Call, digest: str, number: Number, query: InPart) -> Response:
    upload = PartUpload(
        digest=digest, number=number, sha256=query.sha256, chunks=call.request.stream()
    )
    return reply(await uploads.put(call.caller, call.services, upload))


@ROUTES.add(
    "PUT",
    "/v1/artifacts/{digest}/parts",
    Operation(
        verb="uploads.finish",
        summary="Put the parts of a file together; 202 while that takes, to be asked again",
        responds=ArtifactView,
        also={201: ArtifactView, 202: UploadView},
    ),
)
async def finish_parts(call: Call, digest: str, query: Finishing) -> Response:
    found = await uploads.finish(
        call.caller, call.services, digest, query.size, project=query.project
    )
    if isinstance(found, UploadView):
        return reply(found, status=202)
    view, new = found
    return reply(view, status=201 if new else 200)


@ROUTES.add(
    "POST",
    "/v1/packs/missing",
    Operation(
        verb="uploads.missing",
        summary="Say which of some files are to be sent",
        responds=MissingView,
        accepts=MissingRequest,
    ),
)
async def show_missing(call: Call, query: Nothing) -> Response:
    request = parse_request(MissingRequest, await call.body())
    return reply(await uploads.missing(call.caller, call.services, request))


@ROUTES.add(
    "PUT",
    "/v1/packs",
    Operation(
        verb="uploads.put_pack",
        summary="Store small files: a line of JSON that lists digests and sizes, and their bytes",
        responds=PackView,
        uploads=True,
    ),
)
async def put_pack(call: Call, query: Place) -> Response:
    chunks = call.request.stream()
    return reply(await uploads.put_pack(call.caller, call.services, chunks, project=query.project))
