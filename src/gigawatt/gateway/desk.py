"""`/v1/files` and `/v1/batches`, in OpenAI's shape. What a tenant has, no other one sees."""

import asyncio
import json
import logging
import re
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

from gigawatt.gateway.batch_lines import ENDPOINTS
from gigawatt.gateway.batch_store import DATABASE, LIVE, Batch, BatchStore, StoredFile
from gigawatt.gateway.client import ClientConnection
from gigawatt.gateway.config import KeyConfig
from gigawatt.gateway.desk_query import Page, page_of, query_of
from gigawatt.gateway.desk_views import batch_view, file_view, page_view
from gigawatt.gateway.errors import ErrorReply, malformed, unavailable
from gigawatt.gateway.multipart import parse_form
from gigawatt.gateway.request import Request

PURPOSE = "batch"
STORED_BYTES_MAX = 4 * 1024**3  # of one tenant
BATCHES_MAX = 100  # of one tenant that have not ended
METADATA_MAX = 16
METADATA_CHARS_MAX = 512
FILENAME_CHARS_MAX = 255
EXPIRY_S = (3_600, 30 * 86_400)
WINDOW_S = (60, 7 * 86_400)
PIECE_BYTES = 256 * 1024
UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
_WINDOW = re.compile(r"^([1-9][0-9]{0,5})([mhd])$")

L = TypeVar("L", StoredFile, Batch)
Reply = dict[str, Any] | ErrorReply | Path

log = logging.getLogger(__name__)


class Desk:
    """Of one worker; the store is opened when it is first needed."""

    def __init__(
        self, directory: Path, *, new_id: Callable[[str], str], wall_ms: Callable[[], int]
    ) -> None:
        self._directory = directory
        self._new_id = new_id
        self._wall_ms = wall_ms
        self._opening: asyncio.Task[BatchStore] | None = None

    @property
    def used(self) -> bool:
        """Anybody has ever sent a file."""
        return self._opening is not None or (self._directory / DATABASE).exists()

    def now_s(self) -> int:
        return self._wall_ms() // 1000

    async def store(self) -> BatchStore:
        """Raises OSError, sqlite3.Error."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            made = asyncio.to_thread(BatchStore, self._directory, new_id=self._new_id("spool"))
            self._opening = asyncio.create_task(made)
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        if self._opening is not None and self._opening.done() and not self._opening.exception():
            await asyncio.to_thread(self._opening.result().close)

    def answer(self, client: ClientConnection, request: Request) -> "DeskAnswer":
        """Begin to answer."""
        key, path = request.key, request.route.path if request.route else ""
        assert key is not None
        answer = DeskAnswer(client)
        answer.begin(self._reply(request, key, path))
        return answer

    async def _reply(  # noqa: PLR0911 - one flat table
        self, request: Request, key: KeyConfig, path: str
    ) -> Reply:
        method = request.method.decode("ascii", "replace").replace("HEAD", "GET")
        words = path.removeprefix("/v1/").split("/")
        body, request.body = request.body, b""
        match (method, *words):
            case ("POST", "files"):
                return await self._upload(key, request, body)
            case ("GET", "files"):
                return await self._files(key, request.target)
            case ("GET", "files", id):
                found = await self._file(key, id)
                return found if isinstance(found, ErrorReply) else file_view(found)
            case ("DELETE", "files", id):
                return await self._delete(key, id)
            case ("GET", "files", id, "content"):
                found = await self._file(key, id)
                return found if isinstance(found, ErrorReply) else (await self.store()).path(id)
            case ("POST", "batches"):
                return await self._create(key, body)
            case ("GET", "batches"):
                return await self._batches(key, request.target)
            case ("GET", "batches", id):
                known = await self._batch(key, id)
                return known if isinstance(known, ErrorReply) else batch_view(known)
            case ("POST", "batches", id, "cancel"):
                return await self._cancel(key, id)
            case _:
                raise AssertionError(path)

    # Files.

    async def _upload(self, key: KeyConfig, request: Request, body: bytes) -> Reply:
        content_type = request.fields.get(b"content-type", b"")
        form = await asyncio.to_thread(parse_form, body, content_type)
        if isinstance(form, ErrorReply):
            return form
        if form.fields.get("purpose") != PURPOSE:
            told = f"`purpose` must be {PURPOSE}; files are taken for batches alone."
            return malformed(told, code="invalid_purpose", param="purpose")
        now_s = self.now_s()
        expires_s = _expiry(form.fields, now_s)
        if isinstance(expires_s, ErrorReply):
            return expires_s
        store = await self.store()
        stored = sum(each.bytes for each in await asyncio.to_thread(store.files, key.tenant))
        if stored + len(form.content) > STORED_BYTES_MAX:
            told = (
                f"Files may have {STORED_BYTES_MAX} bytes together, and have {stored}: delete some."
            )
            return malformed(told, code="storage_full", param="file")
        file = StoredFile(
            id=self._new_id("file"),
            tenant=key.tenant,
            project=key.project,
            purpose=PURPOSE,
            filename=form.filename[:FILENAME_CHARS_MAX],
            bytes=len(form.content),
            created_s=now_s,
            expires_s=expires_s,
        )
        await asyncio.to_thread(store.put_file, file, form.content)
        return file_view(file)

    async def _files(self, key: KeyConfig, target: bytes) -> Reply:
        asked = query_of(target, filters=("purpose",))
        if isinstance(asked, ErrorReply):
            return asked
        store = await self.store()
        there = [
            each
            for each in await asyncio.to_thread(store.files, key.tenant)
            if _sees(key, each) and asked.filters.get("purpose", each.purpose) == each.purpose
        ]
        found = page_of(there, asked)
        return _listed(found, file_view)

    async def _file(self, key: KeyConfig, id: str) -> StoredFile | ErrorReply:
        store = await self.store()
        found = await asyncio.to_thread(store.file, id)
        if found is None or not _sees(key, found):
            return _not_found("file", id)
        return found

    async def _delete(self, key: KeyConfig, id: str) -> Reply:
        found = await self._file(key, id)
        if isinstance(found, ErrorReply):
            return found
        store = await self.store()
        for batch in await asyncio.to_thread(store.live_batches):
            if batch.fields["input_file_id"] == id:
                told = f"The file `{id}` is read by the batch `{batch.id}`: cancel that first."
                return ErrorReply(status=409, code="file_in_use", message=told)
        await asyncio.to_thread(store.remove_file, id)
        return {"id": id, "object": "file", "deleted": True}

    # Batches.

    async def _create(self, key: KeyConfig, body: bytes) -> Reply:
        asked = _batch_request(body)
        if isinstance(asked, ErrorReply):
            return asked
        file = await self._file(key, asked["input_file_id"])
        if isinstance(file, ErrorReply):
            return file
        if file.purpose != PURPOSE:
            told = f"The file `{file.id}` was not sent for a batch."
            return malformed(told, code="invalid_purpose", param="input_file_id")
        store, now_s = await self.store(), self.now_s()
        live = await asyncio.to_thread(store.live_batches)
        if sum(each.tenant == key.tenant for each in live) >= BATCHES_MAX:
            told = f"{BATCHES_MAX} batches have not ended yet."
            return ErrorReply(status=429, code="too_many_batches", message=told, retry_after_s=60)
        batch = Batch(
            id=self._new_id("batch"),
            tenant=key.tenant,
            project=key.project,
            key=key.id,
            status="validating",
            created_s=now_s,
            fields={
                **asked,
                "expires_at": now_s + _window_s(asked["completion_window"]),
                "request_counts": {"total": 0, "completed": 0, "failed": 0},
            },
        )
        await asyncio.to_thread(store.put_batch, batch)
        return batch_view(batch)

    async def _batches(self, key: KeyConfig, target: bytes) -> Reply:
        asked = query_of(target, filters=())
        if isinstance(asked, ErrorReply):
            return asked
        store = await self.store()
        there = await asyncio.to_thread(store.batches, key.tenant)
        return _listed(page_of([each for each in there if _sees(key, each)], asked), batch_view)

    async def _batch(self, key: KeyConfig, id: str) -> Batch | ErrorReply:
        store = await self.store()
        found = await asyncio.to_thread(store.batch, id)
        if found is None or not _sees(key, found):
            return _not_found("batch", id)
        return found

    async def _cancel(self, key: KeyConfig, id: str) -> Reply:
        found = await self._batch(key, id)
        if isinstance(found, ErrorReply):
            return found
        if found.status not in LIVE:
            told = f"The batch `{id}` has ended: it is {found.status}."
            return ErrorReply(status=409, code="batch_ended", message=told)
        store = await self.store()
        fields = {"cancelling_at": self.now_s()}
        return batch_view(await asyncio.to_thread(store.move_batch, id, "cancelling", fields))


class DeskAnswer:
    """An Answer that is worked out by a task."""

    def __init__(self, client: ClientConnection) -> None:
        self._client = client
        self._task: asyncio.Task[None] | None = None
        self._flows = asyncio.Event()
        self._flows.set()

    def begin(self, work: Coroutine[Any, Any, Reply]) -> None:
        self._task = asyncio.create_task(self._run(work))

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def expire(self) -> None:
        """It sets no deadline."""

    def pause(self) -> None:
        self._flows.clear()

    def resume(self) -> None:
        self._flows.set()

    def turn_away(self, error: ErrorReply) -> None:
        self.cancel()
        if self._client.begun:
            self._client.cut()
        else:
            self._client.reply_error(error)

    async def _run(self, work: Coroutine[Any, Any, Reply]) -> None:
        client = self._client
        try:
            reply = await work
            if isinstance(reply, Path):
                await self._send(reply)
            elif isinstance(reply, ErrorReply):
                client.reply_error(reply)
            else:
                lines = [client.date_line(), b"content-type: application/json\r\n"]
                client.reply(200, lines, json.dumps(reply).encode())
        except (OSError, sqlite3.Error) as error:
            log.warning("files cannot be reached", extra={"detail": str(error)})
            if client.begun:
                client.cut()
            else:
                client.reply_error(
                    unavailable("storage_failed", "The files cannot be reached now.")
                )

    async def _send(self, path: Path) -> None:
        """A file's content, no faster than it is read."""
        client = self._client
        content = await asyncio.to_thread(path.read_bytes)
        lines = [client.date_line(), b"content-type: application/octet-stream\r\n"]
        client.begin(200, lines, len(content))
        for at in range(0, len(content), PIECE_BYTES):
            await self._flows.wait()
            client.send(content[at : at + PIECE_BYTES])
        client.end()


def _sees(key: KeyConfig, each: StoredFile | Batch) -> bool:
    return each.tenant == key.tenant and (not key.project or each.project == key.project)


def _listed(page: Page[L], view: Callable[[L], dict[str, Any]]) -> dict[str, Any]:
    return page_view([view(each) for each in page.items], more=page.more)


def _not_found(what: str, id: str) -> ErrorReply:
    told = f"There is no {what} `{id[:80]}`."
    return ErrorReply(status=404, code=f"{what}_not_found", message=told, param="id")


def _expiry(fields: dict[str, str], now_s: int) -> int | ErrorReply:
    """As OpenAI's form has it: `expires_after[anchor]` and `expires_after[seconds]`."""
    text = fields.get("expires_after[seconds]", "")
    if not text:
        return 0
    least, most = EXPIRY_S
    if not text.isdigit() or not least <= int(text[:12]) <= most:
        told = f"`expires_after.seconds` must be from {least} to {most}."
        return malformed(told, code="invalid_value", param="expires_after")
    return now_s + int(text)


def _batch_request(body: bytes) -> dict[str, Any] | ErrorReply:
    try:
        read: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        return malformed(f"The body is not JSON: {error}.", code="invalid_json")
    if not isinstance(read, dict):
        return malformed("The body must be a JSON object.", code="invalid_json")
    fields = cast("dict[str, Any]", read)
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not isinstance(fields.get(name), str):
            told = f"`{name}` is missing: it must be a text."
            return malformed(told, code="missing_required_parameter", param=name)
    if fields["endpoint"] not in ENDPOINTS:
        told = f"`endpoint` must be one of {', '.join(ENDPOINTS)}."
        return malformed(told, code="invalid_value", param="endpoint")
    if not WINDOW_S[0] <= _window_s(fields["completion_window"]) <= WINDOW_S[1]:
        told = "`completion_window` must be like 30m, 24h or 7d, from 1m to 7d."
        return malformed(told, code="invalid_value", param="completion_window")
    metadata = fields.get("metadata")
    if not _is_metadata(metadata):
        told = (
            f"`metadata` must be at most {METADATA_MAX} texts of {METADATA_CHARS_MAX} characters."
        )
        return malformed(told, code="invalid_value", param="metadata")
    return {
        "input_file_id": fields["input_file_id"],
        "endpoint": fields["endpoint"],
        "completion_window": fields["completion_window"],
        "metadata": metadata,
    }


def _is_metadata(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    pairs = cast("dict[str, object]", value)
    texts = all(
        isinstance(each, str) and len(each) <= METADATA_CHARS_MAX for each in pairs.values()
    )
    return texts and len(pairs) <= METADATA_MAX and all(len(name) <= 64 for name in pairs)


def _window_s(text: str) -> int:
    """0 for one that cannot be read."""
    found = _WINDOW.match(text)
    return int(found[1]) * UNITS_S[found[2]] if found else 0
