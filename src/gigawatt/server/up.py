"""`gw up`: check, then run in the foreground, or start a process of its own and wait until it is ready."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server import preflight
from gigawatt.server.instance import Instance, read_instance
from gigawatt.settings import Settings, with_value

READY, FAILED = "ready", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    settings: Settings
    detach: bool = False
    waits: Callable[[str], None] | None = None  # a standby: told for whom it waits


def up(options: UpOptions, *, ready: Callable[[Instance], None]) -> int:
    """Run an instance; the exit code. `ready` is told its address once it serves.

    Detached, it returns then; else when the instance has ended. Raises RefusalError before any work.
    """
    if options.detach and options.waits is not None:
        raise RefusalError(
            RefusalCode.INVALID,
            "a standby stays in the foreground: it is ready only once it leads",
            field="standby",
            hint="leave --detach out, and have a service manager keep it running",
        )
    if not options.detach:
        from gigawatt.server.run import run

        return run(options.settings, ready=ready, waits=options.waits)
    _check(options.settings)
    ready(_start_detached(options.settings))
    return 0


def encoded(settings: Settings) -> str:
    """Settings as one argument. They hold no secret but, perhaps, the store's URL, which goes by environment."""
    plain = {name: str(value) for name, value in asdict(settings).items() if name != "store"}
    if settings.store:
        os.environ["GIGAWATT_STORE"] = settings.store
    return json.dumps(plain)


def decoded(text: str) -> Settings:
    """Settings from `encoded`'s argument and the environment."""
    plain: dict[str, str] = json.loads(text)
    settings = Settings(store=os.environ.get("GIGAWATT_STORE", ""))
    for name, value in plain.items():
        settings = with_value(settings, name, value, source=name)
    return settings


def _check(settings: Settings) -> None:
    """Find faults here, where they can be shown; the process that is started claims for itself."""
    claimed = preflight.claim(settings)
    claimed.api.close()
    claimed.workspaces.close()
    os.close(claimed.lock)


def _start_detached(settings: Settings) -> Instance:
    logs = settings.data / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    reading, writing = os.pipe()
    with (logs / "control-plane.err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gigawatt.server", encoded(settings), str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[writing],
            start_new_session=True,
            cwd="/",
        )
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        word, _, detail = told.readline().strip().partition(" ")
    if word == READY:
        process.returncode = 0  # it goes on without us: nothing to wait for
        instance = read_instance(settings.data)
        assert instance is not None
        return instance
    raise _failure(word, detail, logs)


def _failure(word: str, detail: str, logs: Path) -> RefusalError:
    if word == FAILED:
        told: dict[str, str] = json.loads(detail)
        return RefusalError(
            RefusalCode.UNAVAILABLE, told["detail"], field=told["field"], hint=told["hint"]
        )
    return RefusalError(
        RefusalCode.UNAVAILABLE,
        "the control plane ended before it was ready",
        hint=f"its last words are in {logs / 'control-plane.err'}",
    )
