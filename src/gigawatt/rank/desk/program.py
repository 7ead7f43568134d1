"""What a person works in: how it is started, and where it listens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gigawatt.rank.desk.facts import Facts

SOCKET = "program.sock"
# Without the module that makes a grammar of international addresses out of text whenever it is imported: two seconds of a
# start's three. What asks for it goes without, and then leaves such addresses in its own schemas unchecked.
LAB = (
    "import sys; sys.modules['rfc3987_syntax'] = None; "
    "from jupyterlab.labapp import main; sys.exit(main())"
)
KERNEL = (
    "import sys; sys.path[:] = [each for each in sys.path if each] + {more!r}; "
    "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
)
FEATURES = (
    "import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_path('purelib'), sep='\\n')"
)


# Of kernels' Python. JupyterLab's would compile its thousand modules at every start.
NOT_ITS_OWN = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


class MissingError(Exception):
    """Something is not on this node; the text says what to do."""


class Program(NamedTuple):
    """`strips`: it does not know the path that it is below. `finish` is done beside its start, and before it is ready."""

    argv: tuple[str, ...]
    environ: dict[str, str]
    directory: Path
    socket: Path
    strips: bool = False
    finish: Callable[[], None] = lambda: None


def program_of(facts: Facts, private: Path, code: Path) -> Program | None:
    """How to start it; None for a shell, which needs no program but its terminals. Raises MissingError.

    `private` is a directory of ours, short enough for a socket in it.
    """
    if facts.program == "jupyter":
        return _jupyter(facts, private, code)
    if facts.program == "vscode":
        return _vscode(facts, private, code)
    return None


def _jupyter(facts: Facts, private: Path, code: Path) -> Program:
    """JupyterLab from its own environment; kernels run in the person's, which is left as it is."""
    socket = private / SOCKET
    settings = {
        "ServerApp": {
            "sock": str(socket),
            "base_url": facts.base,
            "root_dir": str(facts.home),
            "preferred_dir": str(code),
            "open_browser": False,
            "allow_root": True,
            "allow_remote_access": True,
            "disable_check_xsrf": True,  # the proxy lets nothing in from another origin
            "quit_button": False,
        },
        "IdentityProvider": {"token": ""},  # the socket is ours alone; the desk has asked already
        "LabApp": {
            "extension_manager": "readonly",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        },
    }
    config = private / "jupyter_config.json"
    config.write_text(json.dumps(settings))
    data = private / "share"
    kernel = data / "kernels" / "python3"
    kernel.mkdir(parents=True)

    def finish() -> None:
        (kernel / "kernel.json").write_text(json.dumps(_kernel(facts)))

    environ = {
        **os.environ,
        "JUPYTER_PATH": _joined(str(data), os.environ.get("JUPYTER_PATH", "")),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
    }
    for name in (*NOT_ITS_OWN, "JUPYTER_TOKEN"):
        environ.pop(name, None)
    argv = (f"{facts.tools}/bin/python", "-c", LAB, f"--config={config}")
    return Program(argv, environ, facts.home, socket, finish=finish)


def _kernel(facts: Facts) -> dict[str, object]:
    """A kernel in the person's environment. What it lacks of ipykernel comes last on its path, from the tools'.

    That works for the same Python alone; another one on the node gives way to the tools' own.
    """
    tools = f"{facts.tools}/bin/python"
    version, packages = _features(tools)
    own = shutil.which("python") if os.environ.get("VIRTUAL_ENV") else shutil.which("python3")
    mine = own is not None and _features(own)[0] == version
    python = own if own is not None and mine else tools
    name = Path(os.environ.get("VIRTUAL_ENV", "")).name if mine else "workspace tools"
    return {
        "argv": [python, "-c", KERNEL.format(more=[packages]), "-f", "{connection_file}"],
        "display_name": f"Python {version} ({name or 'host'})",
        "language": "python",
        "env": {name: os.environ[name] for name in NOT_ITS_OWN if name in os.environ},
        "metadata": {"debugger": True},
    }


def _features(python: str) -> tuple[str, str]:
    """Its version and where its packages are; empty for what does not run."""
    done = subprocess.run([python, "-c", FEATURES], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != 2:
        return "", ""
    return lines[0].strip("()").replace(", ", "."), lines[1]


def _vscode(facts: Facts, private: Path, code: Path) -> Program:
    socket = private / SOCKET
    state = facts.home / ".local" / "share" / "code-server"
    found = shutil.which("code-server")
    if found:
        argv = (
            *(found, "--auth", "none", "--socket", str(socket), "--socket-mode", "600"),
            *("--disable-telemetry", "--disable-update-check"),
            *("--user-data-dir", str(state), str(code)),
        )
        return Program(argv, dict(os.environ), code, socket, strips=True)
    found = shutil.which("openvscode-server")
    if found:
        argv = (
            *(found, "--socket-path", str(socket), "--without-connection-token"),
            *("--server-base-path", facts.base.rstrip("/"), "--telemetry-level", "off"),
            *("--server-data-dir", str(state), "--default-folder", str(code)),
            "--accept-server-license-terms",
        )
        return Program(argv, dict(os.environ), code, socket)
    raise MissingError(
        "neither code-server nor openvscode-server is on this node: install one of them "
        "(npm install --global code-server) where PATH finds it"
    )


def _joined(first: str, rest: str) -> str:
    return f"{first}:{rest}" if rest else first
