"""Static files: read once, compressed once, and named by their content, so that a browser never asks for one again."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from gigawatt.console.navigation import BASE

FOR_GOOD = "public, max-age=31536000, immutable"
DIGEST_CHARS = 12
SERVED = (".js", ".css", ".svg", ".png", ".woff2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file, as it is and as gzip where that is smaller."""

    media_type: str
    content: bytes
    packed: bytes
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Every file that is served, by its path below `static`."""
    return {path: _read(path, file) for path, file in _walk(files("gigawatt.console") / "static")}


def asset_url(path: str) -> str:
    """The URL of a file in its present content. It is our mistake if there is none."""
    return f"{BASE}/static/{assets()[path].digest}/{path}"


async def serve_asset(request: Request, digest: str, path: str) -> Response:
    """A file by the URL that pages name; also under another digest, as an older page may ask for it, but not for good."""
    asset = assets().get(path)
    if asset is None:
        return Response("there is no such file\n", status_code=404, media_type="text/plain")
    kept = FOR_GOOD if digest == asset.digest else "no-store"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _walk(folder: Traversable, below: str = "") -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        path = f"{below}{each.name}"
        if each.is_dir():
            found += _walk(each, f"{path}/")
        elif path.endswith(SERVED):
            found.append((path, each))
    return found


def _read(path: str, file: Traversable) -> Asset:
    content = file.read_bytes()
    packed = gzip.compress(content, 9, mtime=0)
    return Asset(
        media_type=mimetypes.guess_type(path)[0] or "application/octet-stream",
        content=content,
        packed=packed if len(packed) < len(content) else b"",
        digest=hashlib.sha256(content).hexdigest()[:DIGEST_CHARS],
    )
