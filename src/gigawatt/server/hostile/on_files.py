"""Attacks on files. Part of the hostile program: standard library only."""

import itertools
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from gigawatt.server.hostile.program import FACTS, SucceededError, attack

ENTRIES_MAX = 60_000
SOUGHT = "prey"


@attack
def operator_token() -> str:
    return _read(FACTS["token"])


@attack
def signing_key() -> str:
    return _read(FACTS["key"])


@attack
def database() -> str:
    try:
        with Path(FACTS["database"]).open("r+b"):
            raise SucceededError("the database is open for writing")
    except OSError:
        return _read(FACTS["database"])


@attack
def others_bundle() -> str:
    return _read(FACTS["bundle"])


@attack
def others_files() -> str:
    return _read(f"{FACTS['victim_dir']}/work/{SOUGHT}")


@attack
def others_log() -> str:
    place = f"{FACTS['victim_dir']}/logs/rank-0.stdout"
    return _read(str(min(Path(place).iterdir())))


@attack
def others_checkpoint() -> str:
    return _read(FACTS["checkpoint"])


@attack
def others_secret() -> str:
    return _read(FACTS["secret"])


@attack
def artifact_store() -> str:
    try:
        Path(FACTS["artifact"]).with_name("planted").write_text("planted")
    except OSError:
        return _read(FACTS["artifact"])
    raise SucceededError("a file was planted in the store")


@attack
def search() -> str:
    entries = itertools.islice(os.walk("/", followlinks=False), ENTRIES_MAX)
    for place, directories, names in entries:
        directories[:] = [
            each for each in directories if f"{place}/{each}" not in {"//proc", "//sys"}
        ]
        for name in names:
            if SOUGHT in name.lower() and FACTS["mark"] in _text(f"{place}/{name}"):
                raise SucceededError(f"{place}/{name} is readable")
    return "nothing of others was found"


@attack
def shared_weights() -> str:
    return _write(f"{os.environ['GIGAWATT_MODEL_PATH']}/planted")


@attack
def shared_python() -> str:
    return _write(f"{sys.prefix}/planted")


@attack
def rank_module() -> str:
    return _write(f"{os.environ['PYTHONPATH'].split(':')[0]}/gigawatt/planted.py")


@attack
def system_files() -> str:
    return " and ".join(_write(f"{place}/gigawatt-planted") for place in ("/etc", "/usr/bin"))


@attack
def scheduled_tasks() -> str:
    places = ("/etc/cron.d", "/var/spool/cron", "/var/spool/cron/crontabs", "/var/spool/at")
    return " and ".join(dict.fromkeys(_write(f"{place}/gigawatt-planted") for place in places))


@attack
def hard_link() -> str:
    os.link(FACTS["checkpoint"], "mine")
    raise SucceededError("another's file is linked here")


@attack
def device_file() -> str:
    os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))
    try:
        os.close(os.open("disk", os.O_RDONLY))
    except OSError as error:
        if error.strerror == "No such device or address":
            raise SucceededError("a device file is a device here") from error
        raise
    raise SucceededError("the disk is open")


@attack
def setuid_program() -> str:
    """One of its own, and each that the system has."""
    copied = Path("id-of-root")
    shutil.copy("/usr/bin/id", copied)
    copied.chmod(0o4755)
    said = subprocess.run([f"./{copied}", "-u"], capture_output=True, check=False).stdout
    if int(said or -1) != os.getuid():
        raise SucceededError(f"a program runs as user {said!r}")
    status = Path("/proc/self/status").read_text()
    if "NoNewPrivs:\t1" not in status:
        raise SucceededError("programs can still give privileges")
    return "no new privileges"


@attack
def checkpoint_link() -> str:
    """Whoever runs us looks at what the supervisor made of it."""
    Path("step-1").symlink_to(FACTS["token"])
    _report("checkpoints", {"step": 1, "path": str(Path("step-1").absolute()), "at_ms": 1})
    _report("checkpoints", {"step": 2, "path": FACTS["token"], "at_ms": 1})
    return "two links were reported"


@attack
def pipe_in_report() -> str:
    report = Path(os.environ["GIGAWATT_REPORT_DIR"])
    for name in ("rank-0.progress", "rank-0.checkpoints"):
        (report / name).unlink(missing_ok=True)
        os.mkfifo(report / name)
    return "pipes are where reports were"


@attack
def link_in_report() -> str:
    report = Path(os.environ["GIGAWATT_REPORT_DIR"])
    for name in ("checkpoint-requested", "checkpoint-requested.new"):
        (report / name).symlink_to(FACTS["token"])
    sys.stdout.write("planted\n")
    sys.stdout.flush()
    asked = report / "checkpoint-requested"
    while asked.is_symlink():
        os.sched_yield()
    return "the file was written beside the link"


def _report(name: str, entry: dict[str, object]) -> None:
    import json

    path = Path(os.environ["GIGAWATT_REPORT_DIR"], f"rank-0.{name}")
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _read(path: str) -> str:
    data = Path(path).read_bytes()
    raise SucceededError(f"{len(data)} bytes of {path} were read")


def _write(path: str) -> str:
    try:
        Path(path).write_text("planted")
    except OSError as error:
        return error.strerror or str(error)
    Path(path).unlink()
    raise SucceededError(f"{path} was written")


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")[:4096]
    except OSError:
        return ""
