"""Running uv: its environment, its words as they come, and what it said when it failed."""

import asyncio
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from gigawatt.build.pip_config import UvOptions, secrets_of

MESSAGE_BYTES_MAX = 4096
KEPT_LINES_MAX = 1000
LINE_CHARS_MAX = 2000
READ_BYTES = 16 * 1024
RUN_TIME_S_MAX = 3600
ANSI = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")
USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
ERROR_LINE = re.compile(r"\s*(error\b|×)")
# Set by whoever starts the control plane for another Python or another uv project than the one that is built here.
DROPPED_VARIABLES = frozenset(
    {
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_PROJECT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_WORKING_DIR",
        "VIRTUAL_ENV",
    }
)


class UvFailedError(Exception):
    """uv ended with anything but 0. The message is its own error, clean and bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """How uv is run for one build. Every step holds `lock_fd` open, so a step that outlives us still owns the build."""

    environ: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]  # those of the machine's configuration, for every `uv pip` command
    cwd: Path
    lock_fd: int
    secrets: tuple[str, ...]

    async def run(self, command: tuple[str, ...], on_line: Callable[[str], None]) -> None:
        """Run `uv COMMAND`, telling each line it says. Raises UvFailedError; cancelled, it leaves no process behind."""
        process = await asyncio.create_subprocess_exec(
            find_uv_bin(),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self.environ),
            cwd=self.cwd,
            pass_fds=(self.lock_fd,),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(RUN_TIME_S_MAX):
                said = await self._listen(process, on_line)
                exit_code = await process.wait()
        except TimeoutError as error:
            raise UvFailedError(f"uv had not ended after {RUN_TIME_S_MAX} s") from error
        finally:
            await _end(process)
        if exit_code != 0:
            raise UvFailedError(failure(said, exit_code))

    async def _listen(
        self, process: asyncio.subprocess.Process, on_line: Callable[[str], None]
    ) -> list[str]:
        assert process.stderr is not None
        kept: deque[str] = deque(maxlen=KEPT_LINES_MAX)
        rest = b""
        while data := await process.stderr.read(READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                kept.append(self._clean(line))
                on_line(kept[-1].strip())
            rest = rest[-LINE_CHARS_MAX * 4 :]
        if rest:
            kept.append(self._clean(rest))
        return list(kept)

    def _clean(self, line: bytes) -> str:
        return clean(line.decode(errors="replace"), self.secrets).rstrip()[:LINE_CHARS_MAX]


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without colours, control characters, and anything that authenticates."""
    text = USERINFO.sub("****@", ANSI.sub("", text))
    for secret in secrets:
        text = text.replace(secret, "****")
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def failure(said: Iterable[str], exit_code: int) -> str:
    """The error out of all that uv said, at most MESSAGE_BYTES_MAX bytes; the beginning, which states the case."""
    lines = [line for line in said if line.strip()]
    starts = [index for index, line in enumerate(lines) if ERROR_LINE.match(line)]
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return _bounded(f"uv was ended by {name}; what it had built is gone, ask again to rebuild")
    if not starts:
        return _bounded("\n".join(lines[-20:]) or f"uv ended with {exit_code} and said nothing")
    return _bounded("\n".join(lines[starts[0] :]))


def uv_environ(environ: Mapping[str, str], options: UvOptions, cache: Path) -> dict[str, str]:
    """The variables uv runs with: the machine's own, pip's configuration, and that it shall download no Python."""
    kept = {name: value for name, value in environ.items() if name not in DROPPED_VARIABLES}
    kept.update(options.environ)
    kept |= {
        "UV_CACHE_DIR": str(cache),
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_COLOR": "1",
    }
    kept.setdefault("UV_LINK_MODE", "hardlink")
    config = _uv_config(environ)
    return kept | ({"UV_CONFIG_FILE": str(config)} if config else {"UV_NO_CONFIG": "1"})


def environ_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What must never be repeated: the passwords in any URL that uv is given."""
    names = [
        name for name in environ if name.startswith(("UV_", "PIP_")) or "PROXY" in name.upper()
    ]
    return secrets_of(environ[name] for name in sorted(names))


def _uv_config(environ: Mapping[str, str]) -> Path | None:
    """The user's or the machine's uv.toml, but never one of a project that the data directory happens to lie in."""
    if environ.get("UV_CONFIG_FILE"):
        return Path(environ["UV_CONFIG_FILE"])
    home = Path(environ.get("HOME", "/"))
    config_home = Path(environ.get("XDG_CONFIG_HOME", "") or home / ".config")
    for path in (config_home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")):
        if path.is_file():
            return path
    return None


def _bounded(text: str) -> str:
    data = text.encode()
    if len(data) <= MESSAGE_BYTES_MAX:
        return text
    return data[: MESSAGE_BYTES_MAX - 4].decode(errors="ignore") + "\n…"


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill uv and its group (build backends too) where it still runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
