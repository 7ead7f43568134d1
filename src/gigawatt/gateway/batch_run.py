"""Works batches off: by one worker of the gateway at a time, with the places that nobody else wants.

A line is asked of a replica only while no request waits and a part of the replica's places stays free, and it counts
neither in what autoscaling follows nor in what a new revision is judged by. An endpoint at zero is woken.
"""

import asyncio
import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from gigawatt.gateway import batch_lines
from gigawatt.gateway.access import find_endpoint, may_call
from gigawatt.gateway.batch_call import LostError, ask, request_bytes
from gigawatt.gateway.batch_lines import Line, parse_lines
from gigawatt.gateway.batch_store import Batch, BatchStore, StoredFile
from gigawatt.gateway.config import EndpointConfig, KeyConfig
from gigawatt.gateway.desk import Desk
from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.gateway import Gateway
from gigawatt.gateway.meter import NO_USAGE
from gigawatt.gateway.relay import ERROR_FROM
from gigawatt.gateway.spool import Subject
from gigawatt.gateway.usage import Usage, usage_of_body
from gigawatt.gateway.wiring import Wiring
from gigawatt.model.tokens import HOUR_MS

LOOK_S = 0.5  # for new batches, and for whether one was cancelled
ROOM_S = 0.05  # until a replica is looked for again
LINES_AT_ONCE = 64  # of one batch
BATCHES_AT_ONCE = 8
TRIES_MAX = 4  # of a line, with a pause after each that is twice the one before
PAUSE_S = 0.5
LOCK = "runner.lock"
OUTPUT_KEPT_S = 30 * 86_400

log = logging.getLogger(__name__)


async def follow_batches(gateway: Gateway, desk: Desk, wiring: Wiring) -> None:
    """For ever. Whoever holds the directory works; the others stand by."""
    running: dict[str, asyncio.Task[None]] = {}
    held = -1
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            if gateway.config is None or gateway.draining or not desk.used:
                continue
            store = await desk.store()
            held = held if held >= 0 else _hold(store)
            if held < 0:
                continue
            running = {each: task for each, task in running.items() if not task.done()}
            await asyncio.to_thread(_expire_files, store, desk.now_s())
            for batch in await asyncio.to_thread(store.live_batches):
                if batch.id not in running and len(running) < BATCHES_AT_ONCE:
                    work = Work(gateway, desk, store, wiring, batch)
                    running[batch.id] = asyncio.create_task(work.run())
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
        if held >= 0:
            os.close(held)


class Work:
    """One batch, from wherever it was left."""

    def __init__(
        self, gateway: Gateway, desk: Desk, store: BatchStore, wiring: Wiring, batch: Batch
    ) -> None:
        self._gateway = gateway
        self._desk = desk
        self._store = store
        self._wiring = wiring
        self._batch = batch

    async def run(self) -> None:
        """Until it has ended, or the gateway does; what went wrong with the machine is tried again."""
        try:
            await self._run()
        except (OSError, sqlite3.Error) as error:
            log.warning("a batch waits", extra={"batch": self._batch.id, "detail": str(error)})
            await asyncio.sleep(LOOK_S)

    async def _run(self) -> None:
        content = await asyncio.to_thread(self._content)
        lines = await asyncio.to_thread(parse_lines, content, self._batch.fields["endpoint"])
        faults = [each for each in lines if not isinstance(each, Line)]
        if faults:
            told = {"object": "list", "data": [each.payload() for each in faults]}
            await self._move("failed", errors=told, failed_at=self._desk.now_s())
            return
        asked = [each for each in lines if isinstance(each, Line)]
        if self._batch.status == "validating":
            counts = {"total": len(asked), "completed": 0, "failed": 0}
            await self._move(
                "in_progress", in_progress_at=self._desk.now_s(), request_counts=counts
            )
        done = await asyncio.to_thread(self._store.answered, self._batch.id)
        left = iter([line for line in asked if line.number not in done])
        if self._batch.status == "in_progress":
            watching = asyncio.create_task(self._watch())
            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(LINES_AT_ONCE):
                        tasks.create_task(self._work_off(left))
            finally:
                watching.cancel()
        await self._finish(asked)

    def _content(self) -> bytes:
        return self._store.path(self._batch.fields["input_file_id"]).read_bytes()

    async def _watch(self) -> None:
        """See whether it is to stop, and say how far it is."""
        while self._batch.status == "in_progress":
            completed, failed = await asyncio.to_thread(self._store.counts, self._batch.id)
            now = await asyncio.to_thread(self._store.batch, self._batch.id)
            assert now is not None
            total = now.fields["request_counts"]["total"]
            counts = {"total": total, "completed": completed, "failed": failed}
            if now.status == "in_progress" and counts != now.fields["request_counts"]:
                await self._move("in_progress", request_counts=counts)
            elif now.status != "in_progress":
                self._batch = now
            await asyncio.sleep(LOOK_S)

    @property
    def _stops(self) -> bool:
        over = self._desk.now_s() >= self._batch.fields["expires_at"]
        return over or self._batch.status != "in_progress" or self._gateway.draining

    async def _work_off(self, left: Iterator[Line]) -> None:
        for line in left:
            if self._stops:
                return
            await self._answer(line)

    async def _answer(self, line: Line) -> None:
        """Ask until there is an answer that counts, or it is to stop."""
        lost = 0
        while not self._stops:
            found = self._endpoint(line)
            if isinstance(found, ErrorReply):
                await self._record(
                    batch_lines.refused_line(line, id=self._id(line), error=found), line
                )
                return
            key, config = found
            endpoint = self._gateway.endpoints.running[config.id]
            backend = None if self._over_budget(key, config) else endpoint.spare()
            if backend is None:
                endpoint.want()
                await asyncio.sleep(ROOM_S)
                continue
            fields = {**json.loads(line.body), "model": _asked_for(line.model, config)}
            body = json.dumps(fields).encode()
            request = request_bytes(self._batch.fields["endpoint"], backend, body, self._id(line))
            try:
                reply = await ask(self._wiring, endpoint, backend, request)
            except LostError as error:
                endpoint.shun(backend)
                if lost + 1 >= TRIES_MAX:
                    told = f"The replica of {line.model} failed: {error}."
                    text = batch_lines.error_line(
                        line, id=self._id(line), code="upstream_failed", message=told
                    )
                    await self._record(text, line)
                    return
            else:
                if not reply.for_now or lost + 1 >= TRIES_MAX:
                    await self._take(line, key, endpoint, reply.status, reply.body)
                    return
            await asyncio.sleep(PAUSE_S * 2**lost)
            lost += 1

    def _endpoint(self, line: Line) -> tuple[KeyConfig, EndpointConfig] | ErrorReply:
        """Who answers it now, and in whose name: the key must still be there, and may be used for the model."""
        config = self._gateway.config
        assert config is not None
        key = next((each for each in config.keys.values() if each.id == self._batch.key), None)
        if key is None:
            return ErrorReply(
                status=401, code="invalid_api_key", message="The key of this batch is gone."
            )
        refusal = may_call(key)
        if refusal is not None:
            return refusal
        found = find_endpoint(config, key, line.model)
        return found if isinstance(found, ErrorReply) else (key, found)

    def _over_budget(self, key: KeyConfig, config: EndpointConfig) -> bool:
        return self._gateway.over_budget(key, f"{config.tenant}/{config.project}")

    async def _take(
        self, line: Line, key: KeyConfig, endpoint: Endpoint, status: int, body: bytes
    ) -> None:
        name = self._id(line)
        text = batch_lines.answer_line(line, id=name, status=status, request_id=name, body=body)
        if status >= ERROR_FROM:
            await self._record(text, line)
            return
        config = endpoint.config
        hour_ms = self._wiring.wall_ms() // HOUR_MS * HOUR_MS
        subject = Subject(hour_ms, key.tenant, config.project, key.id, line.model, config.id)
        usage = usage_of_body(body) or NO_USAGE
        await self._record(text, line, (subject, usage))

    async def _record(
        self, text: bytes, line: Line, used: tuple[Subject, Usage] | None = None
    ) -> None:
        recorded = asyncio.to_thread(self._store.record, self._batch.id, line.number, text, used)
        await asyncio.shield(asyncio.ensure_future(recorded))

    async def _finish(self, asked: list[Line]) -> None:
        """Write its files: done again after a crash, they are the same."""
        if self._gateway.draining:
            return
        now_s, batch = self._desk.now_s(), self._batch
        done = await asyncio.to_thread(self._store.answered, batch.id)
        left = [line for line in asked if line.number not in done]
        status = "completed"
        if batch.status == "cancelling":
            status = "cancelled"
        elif left:
            status = "expired"
            for line in left:
                told = "This line was not reached within the completion window."
                text = batch_lines.error_line(
                    line, id=self._id(line), code="batch_expired", message=told
                )
                await self._record(text, line)
        if status == "completed":
            await self._move("finalizing", finalizing_at=now_s)
        output = await asyncio.to_thread(self._write, "output")
        errors = await asyncio.to_thread(self._write, "error")
        completed, failed = await asyncio.to_thread(self._store.counts, batch.id)
        counts = {"total": len(asked), "completed": completed, "failed": failed}
        await self._move(
            status,
            output_file_id=output,
            error_file_id=errors,
            request_counts=counts,
            **{f"{status}_at": now_s},
        )
        await asyncio.to_thread(self._store.forget_results, batch.id)

    def _write(self, kind: str) -> str | None:
        """The file of that kind; None where there is nothing for it."""
        content = self._store.results(self._batch.id, good=kind == "output")
        if not content:
            return None
        now_s = self._desk.now_s()
        file = StoredFile(
            id=f"file-{self._batch.id}-{kind}",
            tenant=self._batch.tenant,
            project=self._batch.project,
            purpose="batch_output",
            filename=f"{self._batch.id}_{kind}.jsonl",
            bytes=len(content),
            created_s=now_s,
            expires_s=now_s + OUTPUT_KEPT_S,
        )
        self._store.put_file(file, content)
        return file.id

    async def _move(self, status: str, **fields: Any) -> None:
        moved = asyncio.to_thread(self._store.move_batch, self._batch.id, status, fields)
        self._batch = await moved

    def _id(self, line: Line) -> str:
        return f"batch_req_{self._batch.id}_{line.number}"


def _asked_for(model: str, config: EndpointConfig) -> str:
    return model if model in config.names.adapters else config.served_name


def _hold(store: BatchStore) -> int:
    """The lock of the directory; -1 where another worker has it."""
    descriptor = os.open(store.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor


def _expire_files(store: BatchStore, now_s: int) -> None:
    needed = {batch.fields["input_file_id"] for batch in store.live_batches()}
    for file in store.expired_files(now_s):
        if file.id not in needed:
            store.remove_file(file.id)
