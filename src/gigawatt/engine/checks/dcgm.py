"""GPU metrics as dcgm-exporter serves them, in both of its families of names.

From 4.9 on it names fields with their unit and in base units: `DCGM_FI_DEV_GPU_TEMP` became `DCGM_FI_DEV_GPU_TEMP_CELSIUS`,
`DCGM_FI_DEV_GPU_UTIL` in percent a ratio, MiB bytes. A field is known by its stem, and what it is in by its suffix. Not
run on real GPUs here: tried on recorded output.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gigawatt.engine.checks.said import FAIL, OK, WARN, Said, worst

_SAMPLE = re.compile(r"^(?P<name>DCGM_[A-Z0-9_]+)\{(?P<labels>[^}]*)\}\s+(?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')

# Stem, our name, and what a value without a unit in its name is multiplied with.
STEMS: dict[str, tuple[str, float]] = {
    "DCGM_FI_DEV_GPU_TEMP": ("temperature_c", 1),
    "DCGM_FI_DEV_MEMORY_TEMP": ("memory_temperature_c", 1),
    "DCGM_FI_DEV_POWER_USAGE": ("power_w", 1),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": ("energy_j", 1e-3),
    "DCGM_FI_DEV_SM_CLOCK": ("sm_clock_hz", 1e6),
    "DCGM_FI_DEV_MEM_CLOCK": ("memory_clock_hz", 1e6),
    "DCGM_FI_DEV_GPU_UTIL": ("use_ratio", 1e-2),
    "DCGM_FI_DEV_MEM_COPY_UTIL": ("memory_use_ratio", 1e-2),
    "DCGM_FI_DEV_FB_USED": ("memory_used_bytes", 1 << 20),
    "DCGM_FI_DEV_FB_FREE": ("memory_free_bytes", 1 << 20),
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": ("nvlink_bytes_per_s", 1e6),
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": ("pcie_replays", 1),
    "DCGM_FI_DEV_XID_ERRORS": ("last_xid", 1),
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": ("rows_remapped_uncorrectable", 1),
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": ("rows_remapped_correctable", 1),
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": ("row_remap_failure", 1),
    "DCGM_FI_DEV_ROW_REMAP_PENDING": ("row_remap_pending", 1),
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": ("ecc_uncorrected", 1),
}
UNITS = {
    "": None,
    "CELSIUS": 1.0,
    "WATTS": 1.0,
    "JOULES": 1.0,
    "HERTZ": 1.0,
    "HZ": 1.0,
    "RATIO": 1.0,
    "BYTES": 1.0,
    "BYTES_PER_SECOND": 1.0,
    "TOTAL": 1.0,
    "COUNT": 1.0,
}
TEMPERATURE_C_MAX = 95


class Sample(NamedTuple):
    gpu: str  # its UUID, or its index where there is none
    name: str
    value: float


def parse(text: str) -> list[Sample]:
    """What is known to us, in base units; lines that we do not know are passed over."""
    found: list[Sample] = []
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        known = _known(match["name"]) if match else None
        if match is None or known is None:
            continue
        labels: dict[str, str] = dict(_LABEL.findall(match["labels"]))
        try:
            value = float(match["value"])
        except ValueError:
            continue
        name, factor = known
        found.append(Sample(labels.get("UUID") or labels.get("gpu", ""), name, value * factor))
    return found


def judge(samples: list[Sample]) -> Said:
    """What is wrong with any of the GPUs, or how hot the hottest is and what all draw."""
    if not samples:
        return Said(OK, "no metrics")
    found = worst([_judge(sample) for sample in samples])
    return Said(OK, _measured(samples)) if found.outcome == OK else found


def _measured(samples: list[Sample]) -> str:
    """In the words that the fleet map reads."""
    heat = [sample.value for sample in samples if sample.name == "temperature_c"]
    watts = [sample.value for sample in samples if sample.name == "power_w"]
    told = [f"hottest GPU {max(heat):.0f} degrees"] if heat else []
    told += [f"drawing {sum(watts):.0f} W"] if watts else []
    return ", ".join(told)


def _judge(sample: Sample) -> Said:
    gpu, name, value = sample
    if name == "row_remap_failure" and value:
        return Said(FAIL, f"GPU {gpu}: rows could not be remapped; replace it")
    if name == "row_remap_pending" and value:
        return Said(WARN, f"GPU {gpu}: a row is to be remapped; reset it when it is idle")
    if name == "ecc_uncorrected" and value:
        return Said(FAIL, f"GPU {gpu}: {value:.0f} uncorrected memory errors; drain and reset it")
    if name in {"temperature_c", "memory_temperature_c"} and value >= TEMPERATURE_C_MAX:
        return Said(WARN, f"GPU {gpu}: {value:.0f} degrees")
    return Said(OK)


def _known(name: str) -> tuple[str, float] | None:
    """Our name of a field, and the factor to base units."""
    for stem, (ours, factor) in STEMS.items():
        rest = name[len(stem) :].lstrip("_") if name.startswith(stem) else None
        if rest in UNITS:
            scale = UNITS[rest]
            return ours, factor if scale is None else scale
    return None
