"""Packages of the operating system: whether the machine has them, and how they are installed. Nothing is installed here."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache

from gigawatt.model.refusal import RefusalCode, RefusalError

SYSTEM_MAX = 64
ASK_TIME_S_MAX = 10
VERSIONED_LIBRARY = re.compile(r"(lib.+?)-?([0-9]+)")
INSTALLERS = (("apt-get", "apt-get install"), ("dnf", "dnf install"), ("apk", "apk add"))


def check_system(names: tuple[str, ...]) -> None:
    """Refuse where the machine lacks one of these: a package of Debian or RPM, a program, or a library. Blocks.

    Raises RefusalError (unsupported) with all that are missing and the command that installs them.
    """
    lacking = missing(names)
    if lacking:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"this machine lacks {', '.join(lacking)}",
            field="environment.system",
            hint=f"have it installed: {install_command(lacking)}",
        )


def missing(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that nothing on this machine answers to, in their order."""
    asked = tuple(dict.fromkeys(names))
    if not asked:
        return ()
    packages, libraries = _packages(asked), ""
    lacking: list[str] = []
    for name in asked:
        if name in packages or shutil.which(name):
            continue
        libraries = libraries or _answer("ldconfig", "-p")
        if not _is_library(name, libraries):
            lacking.append(name)
    return tuple(lacking)


def install_command(names: Iterable[str]) -> str:
    """The command of this machine's package manager."""
    for program, command in INSTALLERS:
        if shutil.which(program):
            return f"sudo {command} {' '.join(names)}"
    return f"with the machine's package manager, {' '.join(names)}"


def _packages(names: tuple[str, ...]) -> frozenset[str]:
    """Those that the machine's package database has as installed."""
    if shutil.which("dpkg-query"):
        form = "${Package} ${db:Status-Status}\n"
        said = _answer("dpkg-query", "-W", f"-f={form}", "--", *names)
        rows = [line.split(" ") for line in said.splitlines()]
        return frozenset(row[0] for row in rows if row[1:] == ["installed"])
    if shutil.which("rpm"):
        return frozenset(_answer("rpm", "-q", "--qf", "%{NAME}\n", *names).splitlines())
    return frozenset()


def _is_library(name: str, libraries: str) -> bool:
    """Whether the linker knows it: `libsndfile1`, `libsndfile.so` or `libsndfile.so.1`."""
    match = None if ".so" in name else VERSIONED_LIBRARY.fullmatch(name)
    wanted = f"{match[1]}.so.{match[2]}" if match else name
    if ".so" not in wanted:
        return False
    known = (line.split()[0] for line in libraries.splitlines() if line.strip())
    return any(each == wanted or each.startswith(f"{wanted}.") for each in known)


def _answer(*command: str) -> str:
    program = shutil.which(command[0]) or _sbin(command[0])
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=ASK_TIME_S_MAX,
            check=False,
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    except (OSError, subprocess.SubprocessError):  # not there, or no answer: it knows of nothing
        return ""
    return done.stdout


@cache
def _sbin(program: str) -> str:
    return shutil.which(program, path="/usr/sbin:/sbin") or program
