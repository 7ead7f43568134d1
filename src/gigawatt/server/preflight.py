"""What is checked before any work: the directory, its lock, the disk, the ports. Each fault is one clear line."""

import errno
import fcntl
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.gateway import read_running
from gigawatt.server.tls import check_wire
from gigawatt.settings import Settings

BACKLOG = 1024  # connections that wait to be taken


@dataclass(slots=True, kw_only=True)
class Claimed:
    """What a start holds from here on: the lock's descriptor and the API's listening socket."""

    lock: int
    api: socket.socket
    gateway_port: int
    workspaces: socket.socket


def claim(settings: Settings, *, listening: bool = True) -> Claimed:
    """Check everything and hold what must not be lost again. Raises RefusalError; then nothing is held.

    Not `listening`, the ports are bound, and who connects is refused until they are served.
    """
    check_wire(settings)
    directory(settings)
    lock = take_lock(settings.data)
    try:
        api = _bind(settings.host, settings.port, "--port", listening=listening)
    except RefusalError:
        os.close(lock)
        raise
    try:
        gateway_port = _gateway_port(settings)
    except RefusalError:
        api.close()
        os.close(lock)
        raise
    try:
        workspaces = _bind_for_workspaces(settings, listening=listening)
    except RefusalError:
        api.close()
        os.close(lock)
        raise
    return Claimed(lock=lock, api=api, gateway_port=gateway_port, workspaces=workspaces)


def directory(settings: Settings) -> None:
    """The data directory is there, ours to write, and has room."""
    data = settings.data
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data / ".probe"
        probe.write_bytes(b"gigawatt")
        probe.unlink()
        free = shutil.disk_usage(data).free
    except OSError as error:
        raise _unusable(data, error) from None
    if free < settings.disk_free_min:
        raise RefusalError(
            RefusalCode.DISK_FULL,
            f"{data} has {free >> 20} MiB free; at least {settings.disk_free_min >> 20} are needed",
            field="data",
            hint="make room, or choose another directory with --data",
        )


def take_lock(data: Path) -> int:
    """The instance's lock, as an open descriptor that must be kept. Raises RefusalError when it is held."""
    descriptor = os.open(data / "instance.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"another gigawatt (pid {holder}) already runs on {data}",
            field="data",
            hint=f"use it, stop it with gw down --data {data}, or choose another --data",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _gateway_port(settings: Settings) -> int:
    """The gateway's port, free for it or held by it: it serves on while its control plane is away."""
    running = read_running(settings.data)
    wanted = (settings.host, settings.gateway_port)
    if running is not None and (running.address.host, running.address.port) == wanted:
        return settings.gateway_port
    with _bind(settings.host, settings.gateway_port, "--gateway-port") as bound:
        return bound.getsockname()[1]


def _bind_for_workspaces(settings: Settings, *, listening: bool) -> socket.socket:
    """On the port that was asked for; on a free one where only the default is taken, for its URL is told anyway."""
    port = settings.workspace_port
    try:
        return _bind(settings.host, port, "--workspace-port", listening=listening)
    except RefusalError:
        if port != Settings().workspace_port:
            raise
        return _bind(settings.host, 0, "--workspace-port", listening=listening)


def _bind(host: str, port: int, flag: str, *, listening: bool = True) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        if listening:
            bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            detail, hint = f"port {port} on {host} is taken", f"choose another with {flag}"
        else:
            detail = f"cannot listen on {host}:{port}: {error.strerror}"
            hint = f"choose another address with --host, or another port with {flag}"
        raise RefusalError(
            RefusalCode.CONFLICT, detail, field=flag.lstrip("-"), hint=hint
        ) from None
    return bound


def _unusable(data: Path, error: OSError) -> RefusalError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return RefusalError(
            RefusalCode.DISK_FULL,
            f"the disk of {data} is full",
            field="data",
            hint="make room, or choose another directory with --data",
        )
    return RefusalError(
        RefusalCode.INVALID,
        f"{data} cannot be used: {error.strerror}",
        field="data",
        hint="choose a directory that you can write with --data",
    )
