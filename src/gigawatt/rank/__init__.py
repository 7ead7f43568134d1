"""What a training script says to gigawatt, and asks of it: one line each, optional, and nothing outside gigawatt.

Standard library only and Python 3.9 or later, because the supervisor copies this file beside user code. It writes
lines of JSON into GIGAWATT_REPORT_DIR, which the supervisor follows: `rank-<n>.progress` (at most 10 lines a second,
the newest at exit) and `rank-<n>.checkpoints` (every one, on disk before `checkpoint` returns). It reads
`checkpoint-requested`, which the supervisor writes. On a reserved signal it writes the stacks of all threads into
`stacks-<pid>`.
"""

from __future__ import annotations

import _thread
import atexit
import os
import time

TYPE_CHECKING = False  # what type checkers take for typing's, which costs milliseconds to import
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, SupportsFloat, SupportsIndex, TextIO

__all__ = [
    "checkpoint",
    "checkpoint_dir",
    "checkpoint_requested",
    "report",
    "resume_path",
    "resume_step",
]

LINES_PER_S_MAX = 10
FILE_BYTES_MAX = 4 << 20
METRICS_MAX = 64
RATE_WINDOW_S = 10.0
STACKS_SIGNAL = 43  # a real-time signal: ordinary ones belong to user code


def report(
    *,
    step: SupportsIndex | None = None,
    loss: SupportsFloat | None = None,
    tokens: SupportsIndex | None = None,
    **metrics: SupportsFloat,
) -> None:
    """Say how far this rank is.

    `step` is the number of the last finished step. `tokens` counts what was handled since the last call; gigawatt
    adds them up and shows the rate. `loss` and metrics are numbers, or scalars that `float()` takes (a tensor's value
    is only fetched when a line is written); NaN and infinities are allowed and shown as unknown. Raises TypeError
    for what is not a number, ValueError for negative counts and for more than 64 metrics.
    """
    if _reporter is not None:
        _reporter.report(step, loss, tokens, metrics)


def checkpoint(
    *, step: SupportsIndex, path: str | os.PathLike[str], **metrics: SupportsFloat
) -> None:
    """Say that a checkpoint is complete: the work up to `step` is safe, and a retry resumes there.

    Call it once the last byte is written, and write each checkpoint to a path of its own. Work is counted as kept only
    if `path` is there. By `metrics` (say `val_loss=0.31`) a job can keep its best ones. Raises TypeError for what is
    not a number, ValueError for a negative step and for more than 64 metrics.
    """
    if _reporter is not None:
        _reporter.checkpoint(_count("step", step), path, metrics)


def checkpoint_requested() -> bool:
    """Whether gigawatt asks for a checkpoint soon, because it will stop this rank; false again after `checkpoint`."""
    return _reporter is not None and _reporter.checkpoint_requested()


def checkpoint_dir() -> Path | None:
    """The directory that follows the job from attempt to attempt; None outside gigawatt."""
    from pathlib import Path

    value = os.environ.get("GIGAWATT_CHECKPOINT_DIR", "")
    return Path(value) if value else None


def resume_step() -> int | None:
    """The step of the newest valid checkpoint, if there is one."""
    value = os.environ.get("GIGAWATT_RESUME_STEP", "")
    return int(value) if value else None


def resume_path() -> Path | None:
    """Where the newest valid checkpoint is, if there is one."""
    from pathlib import Path

    value = os.environ.get("GIGAWATT_RESUME_PATH", "")
    return Path(value) if value else None


class _Reporter:
    """The files of one rank. Thread-safe; a fork starts afresh."""

    def __init__(self, directory: str, rank: str) -> None:
        self._progress_path = f"{directory}/rank-{rank}.progress"
        self._checkpoints_path = f"{directory}/rank-{rank}.checkpoints"
        self._request_path = f"{directory}/checkpoint-requested"
        self._lock = _thread.allocate_lock()  # threading itself costs milliseconds to import
        self._pending: dict[str, Any] | None = None
        self._written_s = float("-inf")
        self._tokens: int | None = None
        self._rates: list[tuple[float, int]] = []
        self._checkpointed_ns = -1
        self._warned = False

    def report(self, step: Any, loss: Any, tokens: Any, metrics: dict[str, Any]) -> None:
        _check_numbers({"loss": loss, **metrics}, len(metrics))
        counts = {
            "step": None if step is None else _count("step", step),
            "tokens": None if tokens is None else _count("tokens", tokens),
        }
        now_s = time.monotonic()
        with self._lock:
            if counts["tokens"] is not None:
                self._tokens = (self._tokens or 0) + counts["tokens"]
            self._pending = {
                "at_ms": time.time_ns() // 1_000_000,
                "step": counts["step"],
                "loss": loss,
                "tokens": self._tokens,
                "metrics": metrics,
            }
            if now_s - self._written_s >= 1 / LINES_PER_S_MAX:
                self._write_pending(now_s)

    def checkpoint(
        self, step: int, path: str | os.PathLike[str], metrics: dict[str, Any] | None = None
    ) -> None:
        metrics = metrics or {}
        _check_numbers(metrics, len(metrics))
        absolute: str = os.path.abspath(os.fspath(path))  # noqa: PTH100 - pathlib costs too much here
        if not os.path.exists(absolute):  # noqa: PTH110 - as above
            self._warn(f"there is no checkpoint at {absolute}; it does not count")
            return
        asked_ns = self._asked_ns()
        numbers = {name: _number(value) for name, value in metrics.items()}
        entry = {"at_ms": time.time_ns() // 1_000_000, "step": step, "path": absolute}
        line = _line({**entry, "metrics": numbers})
        with self._lock:
            if self._pending is not None:  # a job is never shown behind its own checkpoint
                self._write_pending(time.monotonic())
            self._append(self._checkpoints_path, line, sync=True)
            self._checkpointed_ns = asked_ns

    def checkpoint_requested(self) -> bool:
        return self._asked_ns() > self._checkpointed_ns

    def flush(self) -> None:
        """Write what was held back."""
        with self._lock:
            if self._pending is not None:
                self._write_pending(time.monotonic())

    def forked(self) -> None:
        """In a new child: what is held back is the parent's to write, and its lock may be held for ever."""
        self._lock = _thread.allocate_lock()
        self._pending = None

    def _asked_ns(self) -> int:
        try:
            return os.stat(self._request_path).st_mtime_ns  # noqa: PTH116 - pathlib costs too much here
        except OSError:
            return -1

    def _write_pending(self, now_s: float) -> None:
        assert self._pending is not None
        entry, self._pending = self._pending, None
        entry["loss"] = _number(entry["loss"])
        entry["metrics"] = {name: _number(value) for name, value in entry["metrics"].items()}
        entry["tokens_per_s"] = self._rate(now_s)
        self._rotate()
        self._append(self._progress_path, _line(entry), sync=False)
        self._written_s = now_s

    def _rate(self, now_s: float) -> float | None:
        """Tokens a second over the last lines of `RATE_WINDOW_S`."""
        if self._tokens is None:
            return None
        self._rates.append((now_s, self._tokens))
        while len(self._rates) > 2 and now_s - self._rates[1][0] >= RATE_WINDOW_S:
            del self._rates[0]
        since_s, before = self._rates[0]
        return (self._tokens - before) / (now_s - since_s) if now_s > since_s else None

    def _rotate(self) -> None:
        try:
            if os.stat(self._progress_path).st_size >= FILE_BYTES_MAX:  # noqa: PTH116 - as above
                os.replace(self._progress_path, f"{self._progress_path}.old")  # noqa: PTH105 - as above
        except FileNotFoundError:
            return

    def _append(self, path: str, line: bytes, *, sync: bool) -> None:
        """Add one line in one write. Training goes on when the disk does not take it."""
        try:
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, line)
                if sync:
                    os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            self._warn(f"a report is lost: {error}")

    def _warn(self, message: str) -> None:
        """Once: a script that reports every step would drown its own output."""
        if not self._warned:
            import warnings

            self._warned = True
            warnings.warn(f"gigawatt: {message}", RuntimeWarning, stacklevel=4)


def _line(entry: dict[str, Any]) -> bytes:
    import json

    return (json.dumps(entry, separators=(",", ":")) + "\n").encode()


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    number = int(value.__index__())
    if number < 0:
        raise ValueError(f"{name} must not be negative: {number}")
    return number


def _check_numbers(named: dict[str, Any], metrics: int) -> None:
    if metrics > METRICS_MAX:
        raise ValueError(f"{metrics} metrics in one report; at most {METRICS_MAX}")
    for name, value in named.items():
        _check_number(name, value)


def _check_number(name: str, value: Any) -> None:
    if value is None or (hasattr(value, "__float__") and not isinstance(value, bool)):
        return
    raise TypeError(f"{name} must be a number, not {type(value).__name__}")


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if number - number == 0 else None  # NaN and infinities have no JSON


def _register_stacks(directory: str) -> TextIO | None:
    """Have the interpreter write all stacks into our file on the reserved signal."""
    import faulthandler

    try:
        file = open(f"{directory}/stacks-{os.getpid()}", "a", encoding="utf-8")  # noqa: SIM115, PTH123 - open for life
    except OSError:
        return None
    faulthandler.register(STACKS_SIGNAL, file=file, all_threads=True)
    return file


def _make_reporter() -> tuple[_Reporter | None, TextIO | None]:
    directory = os.environ.get("GIGAWATT_REPORT_DIR", "")
    if not directory:
        return None, None
    rank = os.environ.get("GIGAWATT_RANK") or os.environ.get("RANK", "0")
    reporter = _Reporter(directory, rank)
    atexit.register(reporter.flush)
    os.register_at_fork(after_in_child=reporter.forked)
    return reporter, _register_stacks(directory)


_reporter, _stacks = _make_reporter()
