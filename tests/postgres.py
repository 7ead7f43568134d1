"""A real PostgreSQL server for tests: started in a directory of its own, reached by a socket, stopped at the end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

REQUIRED = "GIGAWATT_REQUIRE_POSTGRES"  # "1": a missing server is a failure, not a skip
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
USER = "gigawatt"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    directory: Path
    process: "subprocess.Popen[Any]"
    _numbers: "count[int]" = field(default_factory=count)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.directory}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[Any]":
        return psycopg.connect(self.url(database), autocommit=True)

    def create_database(self) -> str:
        """The name of a new, empty one."""
        name = f"test_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def postgres_binaries() -> Path | None:
    """The directory with `initdb` and `postgres`: of the newest installed version, of PATH, or as pg_config says."""
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: _version(place.parent.name)
    )
    found = shutil.which("initdb")
    if found is not None:
        places.insert(0, Path(found).resolve().parent)
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        told = subprocess.run(
            [pg_config, "--bindir"], capture_output=True, text=True, check=False
        ).stdout
        places.insert(0, Path(told.strip()))
    usable = [place for place in places if (place / "initdb").exists()]
    usable = [place for place in usable if (place / "postgres").exists()]
    return usable[-1] if usable else None


@contextmanager
def running_postgres(*, fsync: bool = False) -> Generator[PostgresServer]:
    """Skips the test where there is no server to start, or fails it if GIGAWATT_REQUIRE_POSTGRES is 1."""
    binaries = postgres_binaries()
    if binaries is None:
        why = "no PostgreSQL server found: looked for initdb and postgres (Debian: postgresql)"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(why)
        pytest.skip(why)
    # Not below pytest's own directory: the server's user cannot enter that, and a socket's path must be short.
    directory = Path(tempfile.mkdtemp(prefix="gw-pg-"))
    account = _account()
    os.chown(directory, account.get("user", -1), account.get("group", -1))
    try:
        _make_cluster(binaries, directory, account)
        process = _start(binaries, directory, account, fsync=fsync)
        try:
            _wait_until_ready(directory, process)
            yield PostgresServer(directory, process)
        finally:
            _stop(process)
    finally:
        shutil.rmtree(directory)


def _version(name: str) -> int:
    return int(name) if name.isdigit() else 0


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then as `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.fail("running as root, and there is no user postgres or nobody to start a server as")


def _make_cluster(binaries: Path, directory: Path, account: dict[str, Any]) -> None:
    made = subprocess.run(
        [
            binaries / "initdb",
            *("--pgdata", directory / "data"),
            *("--username", USER),
            *("--auth", "trust"),
            *("--encoding", "UTF8"),
            *("--locale", "C.UTF-8"),
            "--no-sync",
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        **account,
    )
    assert made.returncode == 0, f"initdb failed:\n{made.stdout}{made.stderr}"


def _start(
    binaries: Path, directory: Path, account: dict[str, Any], *, fsync: bool
) -> "subprocess.Popen[Any]":
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            [
                binaries / "postgres",
                *("-D", directory / "data"),
                *("-k", directory),
                *("-c", "listen_addresses="),  # the socket alone, so that no port can be taken
                *("-c", f"fsync={'on' if fsync else 'off'}"),
                *("-c", "shared_buffers=32MB"),
            ],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **account,
        )


def _wait_until_ready(directory: Path, process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(f"postgresql://{USER}@/postgres?host={directory}").close()
        except psycopg.OperationalError as error:
            log = (directory / "log").read_text(errors="replace")
            assert process.poll() is None, f"the server ended:\n{log}"
            assert time.monotonic() < deadline, f"the server did not start: {error}\n{log}"
            time.sleep(0.02)
        else:
            return


def _stop(process: "subprocess.Popen[Any]") -> None:
    process.send_signal(signal.SIGINT)  # a fast shutdown: sessions are ended
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)  # at once; killed, it would leave shared memory behind
        process.wait(STOP_TIMEOUT_S)
