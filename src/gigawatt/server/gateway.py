"""The gateway's process: started beside the control plane, found again after a restart, started again if it ends."""

import asyncio
import json
import logging
import os
import select
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from gigawatt.build.certificates import trusting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.instance import write_private

log = logging.getLogger(__name__)

PAUSE_S = 0.5  # before it is started again
STOP_S = 10.0  # to finish streams when it is stopped
READY_S_MAX = 30.0  # from its start to its first configuration
LOOK_AGAIN_S = 0.02
READY = b"HTTP/1.1 200 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int
    api_url: str
    workers: int = 1  # processes; 0 is one for each core
    name: str = ""  # that its certificate is for
    cert: str = ""  # and the others, as it is told them
    key: str = ""
    pinned: bool = False
    authority: str = ""  # what clients here believe it and the API by
    insecure: bool = False  # reached from elsewhere without TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """`started` is the kernel's start time of the process, so that a reused pid is not taken for it."""

    pid: int
    started: int
    address: Address


class GatewayProcess:
    def __init__(self, data: Path, address: Address) -> None:
        self._data = data
        self._address = address
        self._closing = False

    async def keep(self) -> None:
        """Have one running, until cancelled."""
        while not self._closing:
            running = read_running(self._data)
            if running is None or running.address != self._address:
                if running is not None:
                    await asyncio.to_thread(stop_gateway, self._data)
                try:
                    running = self._start()
                except OSError:
                    log.exception("the gateway cannot be started; trying again")
                    await asyncio.sleep(PAUSE_S)
                    continue
            await _ended(running)
            if not self._closing:
                log.error("the gateway (pid %d) ended; starting it again", running.pid)
                await asyncio.sleep(PAUSE_S)

    async def ready(self) -> None:
        """Wait until it has its configuration and takes requests. Raises RefusalError when it does not."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + READY_S_MAX
        while not await _is_ready(self._address):
            if loop.time() > until_s:
                raise RefusalError(
                    RefusalCode.UNAVAILABLE,
                    f"the gateway is not ready after {READY_S_MAX:.0f} s",
                    hint=f"see {self._data / 'logs' / 'gateway.log'}",
                )
            await asyncio.sleep(LOOK_AGAIN_S)

    def _start(self) -> Running:
        address = self._address
        folder = self._data / "gateway"
        command = [
            sys.executable,
            "-m",
            "gigawatt.gateway",
            *("--config", str(folder / "config.json")),
            *("--api", address.api_url),
            *("--token-file", str(folder / "token")),
            *("--host", address.host),
            *("--port", str(address.port)),
            *("--workers", str(address.workers)),
            *("--log-file", str(self._data / "logs" / "gateway.log")),
            *_tls_options(address),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        running = Running(pid=process.pid, started=start_time(process.pid) or 0, address=address)
        write_private(folder / "process.json", json.dumps(asdict(running)))
        return running


def read_running(data: Path) -> Running | None:
    """The gateway of a data directory, if its process still runs."""
    try:
        fields = json.loads((data / "gateway" / "process.json").read_text())
        running = Running(
            pid=fields["pid"], started=fields["started"], address=Address(**fields["address"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if start_time(running.pid) == running.started else None


def stop_gateway(data: Path) -> None:
    """Let it finish its streams, then end it. Blocks; no gateway is no error."""
    running = read_running(data)
    if running is None:
        return
    pidfd = os.pidfd_open(running.pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        if not wait_for_end(pidfd, STOP_S):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            wait_for_end(pidfd, STOP_S)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def wait_for_end(pidfd: int, timeout_s: float) -> bool:
    """Whether the process ended in time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def start_time(pid: int) -> int | None:
    """The kernel's start time of a process, in clock ticks since boot; None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


def _tls_options(address: Address) -> tuple[str, ...]:
    given = (
        ("--tls-cert", address.cert),
        ("--tls-key", address.key),
        ("--api-authority", address.authority),
    )
    options = [part for name, value in given if value for part in (name, value)]
    options += ["--pinned"] if address.pinned else []
    options += ["--insecure-no-tls"] if address.insecure else []
    return tuple(options)


async def _is_ready(address: Address) -> bool:
    """Whether its /readyz says so."""
    try:
        reader, writer = await asyncio.open_connection(
            address.host,
            address.port,
            ssl=trusting(address.authority) if address.cert else None,
            server_hostname=address.name if address.cert else None,
        )
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
        return (await reader.readline()).startswith(READY)
    except OSError:
        return False
    finally:
        writer.close()


async def _ended(running: Running) -> None:
    """Wait for the end of a process that may not be our child."""
    try:
        pidfd = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    _reap(running.pid)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # an earlier control plane's child
