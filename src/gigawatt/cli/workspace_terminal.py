"""This terminal given over to a shell elsewhere, until it ends or Ctrl-] leaves it."""

import asyncio
import os
import shutil
import signal
import ssl
import sys
from contextlib import suppress

from gigawatt.cli.terminal import raw_terminal
from gigawatt.sdk.terminals import Terminal, attached

LEAVE = b"\x1d"  # Ctrl-]
READ_BYTES = 1 << 16


def attach(link: str, *, name: str, trust: ssl.SSLContext | None = None) -> int | None:
    """The shell's exit code; None if it goes on. Raises UnreachableError."""
    return asyncio.run(_attached(link, name, trust))


async def _attached(link: str, name: str, trust: ssl.SSLContext | None) -> int | None:
    async with attached(link, name=name, trust=trust) as terminal:
        with raw_terminal():
            return await _both_ways(terminal)


async def _both_ways(terminal: Terminal) -> int | None:
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: typed.put_nowait(os.read(0, READ_BYTES)))
    loop.add_signal_handler(signal.SIGWINCH, lambda: typed.put_nowait(b""))
    shown = asyncio.create_task(_show(terminal))
    sent = asyncio.create_task(_send(terminal, typed))
    try:
        await asyncio.wait([shown, sent], return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        loop.remove_signal_handler(signal.SIGWINCH)
        for task in (shown, sent):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task
    return terminal.exit_code


async def _show(terminal: Terminal) -> None:
    loop = asyncio.get_running_loop()
    async for data in terminal.output():
        await loop.run_in_executor(None, _write, data)  # a slow screen holds the shell up, not us


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


async def _send(terminal: Terminal, typed: "asyncio.Queue[bytes]") -> None:
    """What is typed; nothing typed stands for another size of the window."""
    size = shutil.get_terminal_size()
    await terminal.resize(columns=size.columns, rows=size.lines)
    while True:
        data = await typed.get()
        before, leaves, _ = data.partition(LEAVE)
        if before:
            await terminal.type(before)
        if leaves:
            return
        if not data:
            size = os.get_terminal_size(sys.stdin.fileno())
            await terminal.resize(columns=size.columns, rows=size.lines)
