"""The machine itself, from what the kernel counts: disk, memory, pressure, clock, network."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from gigawatt.engine.checks.said import FAIL, OK, WARN, Said, worst
from gigawatt.engine.checks.state import State

PROC, SYS = Path("/proc"), Path("/sys")
DISK_FREE_MIN = 0.03
MEMORY_FREE_MIN = 0.02
STALLED_PERCENT_MAX = 50.0  # of a minute in which all work waits
CORRECTED_MAX = 1_000  # memory errors between two looks
CLOCK_ERROR_US_MAX = 500_000
LINK_ERRORS_MAX = 1_000  # between two looks
STA_UNSYNC = 0x0040


def disk(directory: Path) -> Said:
    """A file system that is read-only takes no checkpoint; one that is nearly full soon takes none."""
    try:
        stat = os.statvfs(directory)
    except OSError as error:
        return Said(FAIL, f"{directory}: {error.strerror}")
    if stat.f_flag & os.ST_RDONLY:
        return Said(FAIL, f"the file system of {directory} is read-only")
    free = stat.f_bavail / stat.f_blocks if stat.f_blocks else 1.0
    return Said(WARN if free < DISK_FREE_MIN else OK, f"{free:.0%} of the disk is free")


def memory(state: State) -> Said:
    """Errors that the memory controller counts, and how much is left."""
    said: list[Said] = []
    for controller in sorted(SYS.glob("devices/system/edac/mc/mc*")):
        if uncorrected := state.grown(f"ue {controller.name}", _number(controller / "ue_count")):
            said.append(Said(FAIL, f"{uncorrected} uncorrected memory errors on {controller.name}"))
        corrected = state.grown(f"ce {controller.name}", _number(controller / "ce_count"))
        if corrected > CORRECTED_MAX:
            said.append(Said(WARN, f"{corrected} corrected memory errors on {controller.name}"))
    said.append(free_memory((PROC / "meminfo").read_text()))
    return worst(said)


def free_memory(meminfo: str) -> Said:
    """From the text of /proc/meminfo."""
    fields = {line.split(":")[0]: line.split()[1] for line in meminfo.splitlines() if ":" in line}
    free = int(fields.get("MemAvailable", "0")) / max(int(fields.get("MemTotal", "1")), 1)
    return Said(WARN if free < MEMORY_FREE_MIN else OK, f"{free:.0%} of memory is free")


def pressure() -> Said:
    """How long all work waited for memory or disk in the last minute."""
    said: list[Said] = []
    for what in ("memory", "io"):
        try:
            text = (PROC / "pressure" / what).read_text()
        except OSError:
            continue  # a kernel without it
        said.append(judge_pressure(what, text))
    return worst(said)


def judge_pressure(what: str, text: str) -> Said:
    """From the text of one file of /proc/pressure."""
    full = next((line for line in text.splitlines() if line.startswith("full")), "")
    fields = dict(field.split("=") for field in full.split()[1:])
    stalled = float(fields.get("avg60", "0"))
    outcome = WARN if stalled > STALLED_PERCENT_MAX else OK
    return Said(outcome, f"{stalled:.0f} % of the last minute stalled on {what}")


def clock() -> Said:
    """Whether the clock is kept in step: steps of ranks are compared between machines."""
    buffer = (ctypes.c_long * 64)()  # struct timex, with room to spare; modes 0 only reads
    ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
    estimated_us, status = buffer[4], ctypes.cast(buffer, ctypes.POINTER(ctypes.c_int))[10]
    if status & STA_UNSYNC:
        return Said(WARN, "the clock is not synchronised")
    outcome = WARN if estimated_us > CLOCK_ERROR_US_MAX else OK
    return Said(outcome, f"the clock is off by about {estimated_us / 1_000:.0f} ms")


def network(state: State, sys: Path = SYS) -> Said:
    """Errors of network devices since the last look, and InfiniBand ports that went down."""
    said: list[Said] = []
    for port in sorted(sys.glob("class/infiniband/*/ports/*")):
        name = f"{port.parts[-3]}/{port.name}"
        downs = state.grown(f"ib downs {name}", _number(port / "counters" / "link_downed"))
        errors = state.grown(f"ib errors {name}", _number(port / "counters" / "symbol_error"))
        active = "ACTIVE" in _text(port / "state")
        was_active = state.number(f"ib active {name}")
        state.set(f"ib active {name}", int(active))
        if was_active and not active:
            said.append(Said(FAIL, f"port {name} is not active any more"))
        elif downs:
            said.append(Said(WARN, f"port {name} went down {downs} times"))
        elif errors > LINK_ERRORS_MAX:
            said.append(Said(WARN, f"{errors} symbol errors on port {name}"))
    for device in sorted(sys.glob("class/net/*/statistics")):
        counts = [_number(device / each) for each in ("rx_errors", "tx_errors", "rx_crc_errors")]
        errors = state.grown(f"net {device.parent.name}", sum(counts))
        if errors > LINK_ERRORS_MAX:
            said.append(Said(WARN, f"{errors} errors on {device.parent.name}"))
    return worst(said)


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isdigit() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
