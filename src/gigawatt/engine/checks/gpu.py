"""GPUs of this machine: what the kernel log, nvidia-smi and dcgm-exporter say of them.

Not run on real GPUs here: what reads their output is tried on recorded output.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import urllib.error
import urllib.request

from gigawatt.engine.checks import dcgm, kernel_log, xid
from gigawatt.engine.checks.said import FAIL, OK, WARN, Said, worst
from gigawatt.engine.checks.state import State

SECONDS = 20.0
DCGM_URL = os.environ.get("GIGAWATT_DCGM_URL", "http://127.0.0.1:9400/metrics")
DCGM_BYTES_MAX = 8 << 20
REMAPPED = "gpu_uuid,remapped_rows.pending,remapped_rows.failure,remapped_rows.uncorrectable"
HEALTH = "uuid,ecc.errors.uncorrected.volatile.total,clocks_event_reasons.hw_slowdown"
SLOWED = "Active"


def xids(state: State) -> Said:
    """Xid errors since the last look."""
    try:
        last, lines = kernel_log.read_since(state.number("kernel_log", -1))
    except OSError as error:
        return Said(OK, f"the kernel log cannot be read: {error.strerror}")
    state.set("kernel_log", last)
    return xid.judge(lines)


def devices(state: State) -> Said:
    """ECC errors, remapped rows and slowdowns by nvidia-smi; dcgm-exporter where it answers."""
    said = [_metrics()]
    smi = shutil.which("nvidia-smi")
    if smi is not None:
        said.append(judge_remapped(_query(smi, f"--query-remapped-rows={REMAPPED}")))
        said.append(judge_health(_query(smi, f"--query-gpu={HEALTH}")))
    return worst(said)


def judge_remapped(output: str) -> Said:
    """nvidia-smi's CSV of remapped rows."""
    said: list[Said] = []
    for uuid, pending, failure, uncorrectable in _rows(output, 4):
        if failure.lower() in {"yes", "1"}:
            said.append(Said(FAIL, f"GPU {uuid}: rows could not be remapped; replace it"))
        elif pending.lower() in {"yes", "1"}:
            said.append(Said(WARN, f"GPU {uuid}: a row is to be remapped; reset it when idle"))
        elif uncorrectable.isdigit() and int(uncorrectable):
            said.append(Said(OK, f"GPU {uuid}: {uncorrectable} rows were remapped"))
    return worst(said)


def judge_health(output: str) -> Said:
    """nvidia-smi's CSV of error counts and clock events."""
    said: list[Said] = []
    for uuid, uncorrected, slowed in _rows(output, 3):
        if uncorrected.isdigit() and int(uncorrected):
            said.append(
                Said(FAIL, f"GPU {uuid}: {uncorrected} uncorrected memory errors; drain and reset")
            )
        if slowed == SLOWED:
            said.append(Said(WARN, f"GPU {uuid}: its hardware slows it down: heat or power"))
    return worst(said)


def _rows(output: str, width: int) -> list[list[str]]:
    rows = csv.reader(output.splitlines(), skipinitialspace=True)
    return [row for row in rows if len(row) == width]


def _query(smi: str, what: str) -> str:
    command = [smi, what, "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout if done.returncode == 0 else ""


def _metrics() -> Said:
    try:
        with urllib.request.urlopen(DCGM_URL, timeout=2) as answer:  # noqa: S310 - the operator's own address
            text = answer.read(DCGM_BYTES_MAX).decode(errors="replace")
    except (OSError, urllib.error.URLError, ValueError):
        return Said(OK)
    return dcgm.judge(dcgm.parse(text))
