"""Environments of kind `uv`: built once, and either whole or not there.

A build works in `<id>.partial` beside its place and is renamed into it when done, so whatever stands under an id is
finished. `<id>.lock` is held (flock) by the builder and by every uv it starts: a kill at any moment leaves only a
`.partial` that nobody owns, and the next to ask clears it.
"""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gigawatt import clock
from gigawatt.build.bundles import unpack
from gigawatt.build.environment_spec import (
    canonical,
    check_spec,
    environment_id,
    is_option,
    lock_lines,
)
from gigawatt.build.indexes import SecretOf, entered, index_environ, spoken, with_indexes
from gigawatt.build.interpreters import Interpreter, Machine, own_version, this_machine
from gigawatt.build.making import LOCK, PARTIAL, beside, try_lock
from gigawatt.build.pip_config import (
    PipConfigError,
    read_pip_config,
    uv_options,
    with_option_lines,
)
from gigawatt.build.secrets import Secret
from gigawatt.build.system import check_system
from gigawatt.build.uv import Uv, UvFailedError, clean, environ_secrets, uv_environ
from gigawatt.build.venv import BUNDLES, RECORD, VENV, Source, delete, make_venv, seal
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.model.refusal import RefusalCode, RefusalError

__all__ = [
    "BuildFailedError",
    "Built",
    "EnvironmentBuilder",
    "OnStage",
    "check_spec",
    "environment_id",
]

BUILDS_AT_ONCE_MAX = 2
LOCK_POLL_S = 0.1
REMOVED = ".removed"
OVERRULED = frozenset({"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY"})
ENVIRONMENT_ID = re.compile(r"env-[0-9a-f]{16}")

OnStage = Callable[[str, str], None]  # (stage, what uv last said or "")


def _unheard(stage: str, said: str) -> None:
    pass


def _no_secret(owner: str, name: str) -> Secret:
    raise RefusalError(RefusalCode.NOT_FOUND, f"there is no secret {name} of {owner}")


class BuildFailedError(Exception):
    """An environment that cannot be built: the tool's own words, without colours or credentials, at most 4 KiB."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A finished environment. `path` holds `bin/python`; `size_bytes` counts files shared with the cache in full."""

    path: Path
    lock: str
    size_bytes: int
    build_ms: int
    digest: str  # of what was installed; empty where it was built before there were digests


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One build and everyone who waits for it."""

    listeners: list[OnStage] = field(default_factory=list[OnStage])
    task: asyncio.Task[Built] | None = None

    def tell(self, stage: str, said: str) -> None:
        for listener in tuple(self.listeners):
            listener(stage, said)


class EnvironmentBuilder:
    """Builds below `root`. The package cache is uv's own where it is on the same file system, so that files are
    hard-linked instead of copied; else it is `cache/uv` beside `root`.
    """

    def __init__(
        self,
        root: Path,
        *,
        cache: Path | None = None,
        environ: Mapping[str, str] | None = None,
        machine: Machine | None = None,
        artifact: Callable[[str], Path] | None = None,
        secret_of: SecretOf = _no_secret,
    ) -> None:
        """`artifact` says where the bundle of a digest is, of which local packages are built, `secret_of`
        what an index is entered with. `environ` (the process's, by default) is where pip's and uv's settings are read; `machine` as inspected.
        """
        self._root = root.absolute()
        self._environ = dict(os.environ if environ is None else environ)
        self._cache = cache
        self._machine = machine
        self._artifact = artifact
        self._secret_of = secret_of
        self._flights: dict[str, _Flight] = {}
        self._slots = asyncio.Semaphore(BUILDS_AT_ONCE_MAX)

    async def build(
        self, environment_id: str, spec: EnvironmentSpec, on_stage: OnStage = _unheard
    ) -> Built:
        """The environment of that id, built now where it is not there. Many may ask at once: it is built once.

        `on_stage` is told `waiting`, `resolving`, `building` (local packages), `installing` and `finishing`, each with what uv last said. When all
        who asked are cancelled, so is the build, and nothing of it stays. Raises BuildFailedError.
        """
        assert spec.kind is EnvironmentKind.UV, spec.kind
        flight = self._flights.setdefault(environment_id, _Flight())
        flight.listeners.append(on_stage)
        if flight.task is None:
            flight.task = asyncio.create_task(self._build(environment_id, spec, flight.tell))
            flight.task.add_done_callback(lambda _: self._forget(environment_id, flight))
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.listeners.remove(on_stage)
            if not flight.listeners and not flight.task.done():
                self._forget(environment_id, flight)  # who asks from now on starts anew
                flight.task.cancel()
                await asyncio.wait([flight.task])

    def built(self, environment_id: str) -> Built | None:
        """The finished environment of that id, if it is there and its Python still is."""
        path = self._place(environment_id)
        try:
            record = json.loads((path / RECORD).read_text())
        except FileNotFoundError:
            return None
        if not (path / "bin" / "python").exists():  # a link: its Python was uninstalled
            return None
        return Built(
            path=path,
            lock=record["lock"],
            size_bytes=record["size_bytes"],
            build_ms=record["build_ms"],
            digest=record.get("digest", ""),
        )

    def places(self) -> dict[str, Path]:
        """The finished environments, by id."""
        found = sorted(self._root.glob("env-*"))
        return {path.name: path for path in found if ENVIRONMENT_ID.fullmatch(path.name)}

    def remove(self, environment_id: str, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Delete the environment; whether there was one. `unless` is asked when no build of it can begin any more.

        Raises RefusalError (conflict) while it is being built.
        """
        path = self._place(environment_id)
        self._root.mkdir(parents=True, exist_ok=True)
        lock_fd = try_lock(beside(path, LOCK))
        if lock_fd is None:
            raise RefusalError(
                RefusalCode.CONFLICT,
                f"{environment_id} is being built",
                hint="wait until the build has ended",
            )
        try:
            if unless():
                return False
            was_there = path.exists()
            delete(path, beside(path, REMOVED))
            shutil.rmtree(beside(path, PARTIAL), ignore_errors=True)
        finally:
            os.close(lock_fd)
        return was_there

    def sweep(self) -> tuple[str, ...]:
        """Delete what killed builds and removals left; the names. Builds that run, here or elsewhere, are left alone."""
        swept: list[str] = []
        for path in sorted(self._root.glob("env-*")):
            if path.suffix not in {PARTIAL, REMOVED}:
                continue
            lock_fd = try_lock(path.with_suffix(LOCK))
            if lock_fd is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock_fd)
                swept.append(path.name)
        return tuple(swept)

    def _place(self, environment_id: str) -> Path:
        assert ENVIRONMENT_ID.fullmatch(environment_id), environment_id
        return self._root / environment_id

    def _forget(self, environment_id: str, flight: _Flight) -> None:
        if self._flights.get(environment_id) is flight:
            del self._flights[environment_id]

    async def _build(self, environment_id: str, spec: EnvironmentSpec, tell: OnStage) -> Built:
        path = self._place(environment_id)
        try:
            async with self._slots:
                await asyncio.to_thread(self._root.mkdir, parents=True, exist_ok=True)
                async with _locked(beside(path, LOCK), tell) as lock_fd:
                    there = self.built(environment_id)
                    return there or await self._build_locked(path, spec, lock_fd, tell)
        except (UvFailedError, PipConfigError) as error:
            raise BuildFailedError(str(error)) from error
        except RefusalError as refusal:
            raise BuildFailedError(f"{refusal.detail}. {refusal.hint}".strip()) from refusal
        except OSError as error:
            message = clean(f"the environment could not be written: {error}")
            raise BuildFailedError(message) from error

    async def _build_locked(
        self, path: Path, spec: EnvironmentSpec, lock_fd: int, tell: OnStage
    ) -> Built:
        started_s = clock.monotonic_s()
        partial = beside(path, PARTIAL)
        await asyncio.to_thread(_clear, path, partial)
        try:
            await asyncio.to_thread(check_system, spec.system)
            interpreter = await asyncio.to_thread(self._interpreter, spec.python)
            uv = await asyncio.to_thread(self._uv, spec, partial, lock_fd)
            sources = await asyncio.to_thread(self._sources, spec, partial)
            lock = await make_venv(uv, spec, interpreter, sources, tell)
            tell("finishing", "")
            build_ms = round((clock.monotonic_s() - started_s) * 1000)
            await asyncio.to_thread(seal, partial / VENV, path, lock=lock, build_ms=build_ms)
        finally:
            await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        built = self.built(path.name)
        assert built is not None, path
        return built

    def _interpreter(self, python: str) -> Interpreter:
        machine = self._machine or this_machine()
        interpreter = machine.interpreter(python or own_version())
        if interpreter is None:
            has = ", ".join(machine.versions) or "none"
            raise UvFailedError(f"this machine has no Python {python}; it has {has}")
        return interpreter

    def _sources(self, spec: EnvironmentSpec, partial: Path) -> tuple[Source, ...]:
        """The directories of local packages, unpacked beside the environment. Raises RefusalError."""
        sources: list[Source] = []
        for package in spec.packages:
            assert self._artifact is not None, package
            place = partial / BUNDLES / package.bundle.removeprefix("sha256:")
            unpack(self._artifact(package.bundle), place, digest=package.bundle)
            sources.append(Source(package=package, directory=place / package.path))
        return tuple(sources)

    def _uv(self, spec: EnvironmentSpec, cwd: Path, lock_fd: int) -> Uv:
        lines = [*canonical(spec.requirements), *lock_lines(spec.lock)]
        machine_config = read_pip_config(self._environ, prefix=Path(sys.prefix))
        indexes = entered(spec.indexes, self._secret_of)
        config = with_option_lines(machine_config, filter(is_option, lines))
        machine_environ = self._environ
        if indexes:  # those of the environment go before what the machine says, in uv's words too
            machine_environ = {
                name: value for name, value in machine_environ.items() if name not in OVERRULED
            }
        options = uv_options(with_indexes(config, indexes), machine_environ)
        cache = self._cache or _shared_cache(self._environ, self._root)
        if owners := {index.owner for index in spec.indexes if index.secret}:
            # What one project may read must not reach another through a cache.
            cache = (
                self._root.parent / "cache" / "private" / "+".join(sorted(owners)).replace("/", ".")
            )
        environ = uv_environ(machine_environ, options, cache) | index_environ(indexes)
        return Uv(
            environ=tuple(sorted(environ.items())),
            arguments=options.arguments,
            cwd=cwd,
            lock_fd=lock_fd,
            secrets=(*spoken(indexes), *environ_secrets(environ)),
        )


def _clear(path: Path, partial: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)  # there only if its Python is gone
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()


@asynccontextmanager
async def _locked(path: Path, tell: OnStage) -> AsyncGenerator[int]:
    """Hold the flock of `path`. Processes that wait for it look again every LOCK_POLL_S."""
    lock_fd = try_lock(path)
    if lock_fd is None:
        tell("waiting", "another process builds it")
    while lock_fd is None:
        await asyncio.sleep(LOCK_POLL_S)
        lock_fd = try_lock(path)
    try:
        yield lock_fd
    finally:
        os.close(lock_fd)


def _shared_cache(environ: Mapping[str, str], root: Path) -> Path:
    """The cache of uv itself if files can be hard-linked from it, else one beside `root`. UV_CACHE_DIR is obeyed."""
    if environ.get("UV_CACHE_DIR"):
        return Path(environ["UV_CACHE_DIR"]).absolute()
    beside = root.parent / "cache" / "uv"
    if "HOME" not in environ:
        return beside
    cache_home = environ.get("XDG_CACHE_HOME", "") or Path(environ["HOME"]) / ".cache"
    users = Path(cache_home) / "uv"
    try:
        users.mkdir(parents=True, exist_ok=True)
        shared = users.stat().st_dev == root.stat().st_dev and os.access(users, os.W_OK)
    except OSError:  # a home that cannot be written to has no cache to share
        return beside
    return users if shared else beside
