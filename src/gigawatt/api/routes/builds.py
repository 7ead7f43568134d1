"""What jobs are made of and make: /v1/artifacts."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from starlette.responses import FileResponse, Response, StreamingResponse

from gigawatt.api.call import Call
from gigawatt.api.file_queries import FilesOfTree, InTree, Uploading
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.replies import reply
from gigawatt.service import artifacts
from gigawatt.service.artifacts import Upload
from gigawatt.service.views.registry import ArtifactView

ROUTES = Routes()
BYTES = "application/octet-stream"
CHUNK_BYTES = 1 << 20  # of a file, for each way through the loop


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


@ROUTES.add(
    "POST",
    "/v1/artifacts/{digest}/file/check",
    Operation(
        verb="artifacts.check_file",
        summary="Have one file of a tree read whole; a damaged copy is deleted",
        status=204,
    ),
)
async def check_artifact_file(call: Call, digest: str, query: InTree) -> Response:
    await artifacts.check_file(call.caller, call.services, digest, query.path)
    return Response(status_code=204)


@ROUTES.add(
    "GET",
    "/v1/artifacts/{digest}/files",
    Operation(
        verb="artifacts.files_content",
        summary="Read files of a tree, one after the other as its manifest lists them",
        media_type=BYTES,
    ),
)
async def read_artifact_files(call: Call, digest: str, query: FilesOfTree) -> Response:
    numbers = range(query.start, query.stop)
    found = await artifacts.files_content(call.caller, call.services, digest, numbers)
    headers = {"Content-Length": str(found.size_bytes)}
    return StreamingResponse(_joined(found.paths), media_type=BYTES, headers=headers)


def _joined(paths: Sequence[Path]) -> Iterator[bytes]:
    """What the files hold, in pieces of CHUNK_BYTES and more: each piece is a way through the loop."""
    held = bytearray()
    for path in paths:
        held += path.read_bytes()
        if len(held) >= CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _file(path: Path, headers: dict[str, str]) -> FileResponse:
    response = FileResponse(path, media_type=BYTES, headers=headers)
    response.chunk_size = CHUNK_BYTES
    return response
