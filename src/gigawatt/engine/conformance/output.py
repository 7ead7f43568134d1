"""Output: kept within limits, readable as long as it is kept."""

from gigawatt.engine.base import UnknownAttemptError
from gigawatt.engine.conformance.bench import LOG_BYTES, Bench, check
from gigawatt.engine.conformance.report import CaseFailedError
from gigawatt.model.launch import AttemptKey

LINES = 200_000
LINE = "line %07d of a long log\n"


async def log_is_kept_to_its_limit(bench: Bench) -> str:
    """Of several megabytes, the beginning and the end are kept, and no more than the limit between them."""
    bench.needs_programs()
    script = f'BEGIN {{ for (i = 0; i < {LINES}; i++) printf "{LINE[:-1]}\\n", i }}'
    key = await bench.run("awk", script)
    total = len(LINE % 0) * LINES
    kept, last = 0, b""
    offset = 0
    while True:
        chunk = await bench.engine.read_log(key, 0, "stdout", offset=offset, limit=1 << 18)
        if offset == 0:
            check(chunk.data.startswith((LINE % 0).encode()), "the beginning is gone")
        kept += len(chunk.data)
        last = (last + chunk.data)[-len(LINE % 0) :]
        offset = chunk.offset + len(chunk.data)
        if chunk.end:
            break
        check(bool(chunk.data), "the log neither goes on nor ends")
    check(offset == total, f"it ends at {offset} of {total} bytes")
    check(last == (LINE % (LINES - 1)).encode(), f"the end is {last!r}")
    check(kept <= LOG_BYTES * 1.3, f"{kept} bytes are kept of at most {LOG_BYTES}")
    return f"of {total} bytes, {kept} are kept with a limit of {LOG_BYTES}"


async def log_is_read_after_release(bench: Bench) -> str:
    """Logs stay when the attempt is forgotten; what never was has none."""
    bench.needs_programs()
    key = await bench.run("sh", "-c", "printf %s abcdef")
    await bench.engine.release(key, epoch=bench.epoch)
    tail = await bench.engine.read_log(key, 0, "stdout", offset=-2, limit=100)
    check((tail.offset, tail.data, tail.end) == (4, b"ef", True), f"read {tail}")
    try:
        await bench.engine.read_log(
            AttemptKey(gang="conf-never-launched", attempt=1), 0, "stdout", offset=0, limit=1
        )
    except UnknownAttemptError:
        return "its last 2 bytes read after the release"
    raise CaseFailedError("an attempt that never was has a log")
