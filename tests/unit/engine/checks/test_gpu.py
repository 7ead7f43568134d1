"""What recorded output of GPU tools means: Xid lines, nvidia-smi's CSV, dcgm-exporter's text in both families of names."""

import pytest

from gigawatt.engine.checks import dcgm, gpu, kernel_log, xid
from gigawatt.engine.checks.said import FAIL, OK, WARN

OFF_THE_BUS = (
    "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
)
MMU_FAULT = (
    "NVRM: Xid (PCI:0000:3b:00): 31, pid=4021, name=python, Ch 00000008, intr 00000000. MMU Fault"
)
REMAPPED = "NVRM: Xid (PCI:0000:3b:00): 63, pid=1, Row Remapper: New row marked for remapping"
DOUBLE_BIT = "NVRM: Xid (PCI:0000:5e:00): 48, pid=1, An uncorrectable double bit error (DBE) has been detected"
RECOVERY = "NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed from 0x0 (None) to 0x{}"


@pytest.mark.parametrize(
    ("line", "number", "action"),
    [
        (OFF_THE_BUS, 79, "reboot"),
        (MMU_FAULT, 31, "none"),
        (REMAPPED, 63, "watch"),
        (DOUBLE_BIT, 48, "reset"),
        ("NVRM: Xid (PCI:0000:3b:00): 45, pid=1, Ch 00000010", 45, "none"),
        ("NVRM: Xid (PCI:0000:3b:00): 119, pid=1, Timeout waiting for RPC from GSP", 119, "reset"),
        ("NVRM: Xid (PCI:0018:01:00): 149, NETIR_LINK_EVT Fatal", 149, "reboot"),
        ("NVRM: Xid (PCI:0000:3b:00): 9999, something new", 9999, "watch"),
        (RECOVERY.format("1 (GPU Reset Required)"), 154, "reset"),
        (RECOVERY.format("2 (Node Reboot Required)"), 154, "reboot"),
        (RECOVERY.format("0 (None)"), 154, "none"),
    ],
)
def test_each_xid_has_an_action(line: str, number: int, action: str) -> None:
    found = xid.parse(f"[12345.678] {line}")
    assert found is not None
    assert (found.number, found.action) == (number, action)


def test_the_worst_xid_is_what_is_said() -> None:
    said = xid.judge([MMU_FAULT, REMAPPED, OFF_THE_BUS, "usb 1-1: new device"])
    assert said.outcome == FAIL
    assert "Xid 79 on 0000:3b:00: reboot; replace it if this comes back" in said.detail
    assert xid.judge([MMU_FAULT, REMAPPED]).outcome == WARN
    assert xid.judge([MMU_FAULT]) == (OK, "1 Xid of programs")
    assert xid.judge(["eth0: link up"]) == (OK, "no Xid")


def test_records_of_the_kernel_log_are_read_by_their_numbers() -> None:
    record = f"4,1337,99000,-;{OFF_THE_BUS}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:3b:00.0\n"
    assert kernel_log.parse(record) == (1337, OFF_THE_BUS)
    assert kernel_log.parse("nonsense") == (-1, "")


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ("GPU-1, No, No, 0", OK),
        ("GPU-1, No, No, 3", OK),
        ("GPU-1, Yes, No, 1", WARN),
        ("GPU-1, No, Yes, 8", FAIL),
        ("[N/A]", OK),
    ],
)
def test_remapped_rows_by_nvidia_smi(row: str, outcome: str) -> None:
    assert gpu.judge_remapped(f"GPU-0, No, No, 0\n{row}\n").outcome == outcome


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ("GPU-1, 0, Not Active", OK),
        ("GPU-1, [N/A], Not Active", OK),
        ("GPU-1, 0, Active", WARN),
        ("GPU-1, 2, Not Active", FAIL),
    ],
)
def test_errors_and_slowdowns_by_nvidia_smi(row: str, outcome: str) -> None:
    assert gpu.judge_health(f"{row}\n").outcome == outcome


LABELS = 'gpu="0",UUID="GPU-7f",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="n1"'
OLD = f"""
# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).
# TYPE DCGM_FI_DEV_SM_CLOCK gauge
DCGM_FI_DEV_SM_CLOCK{{{LABELS}}} 1980
DCGM_FI_DEV_GPU_TEMP{{{LABELS}}} 61
DCGM_FI_DEV_POWER_USAGE{{{LABELS}}} 612.5
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{LABELS}}} 4200000
DCGM_FI_DEV_GPU_UTIL{{{LABELS}}} 97
DCGM_FI_DEV_FB_USED{{{LABELS}}} 1024
DCGM_FI_DEV_XID_ERRORS{{{LABELS}}} 0
DCGM_FI_DEV_ROW_REMAP_FAILURE{{{LABELS}}} 0
DCGM_FI_DEV_VGPU_LICENSE_STATUS{{{LABELS}}} 0
"""
# By the convention of 4.9: the stem, and the unit that the value is in.
NEW = f"""
DCGM_FI_DEV_SM_CLOCK_HERTZ{{{LABELS}}} 1.98e+09
DCGM_FI_DEV_GPU_TEMP_CELSIUS{{{LABELS}}} 61
DCGM_FI_DEV_POWER_USAGE_WATTS{{{LABELS}}} 612.5
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION_JOULES{{{LABELS}}} 4200
DCGM_FI_DEV_GPU_UTIL_RATIO{{{LABELS}}} 0.97
DCGM_FI_DEV_FB_USED_BYTES{{{LABELS}}} 1073741824
DCGM_FI_DEV_XID_ERRORS{{{LABELS}}} 0
DCGM_FI_DEV_ROW_REMAP_FAILURE{{{LABELS}}} 0
DCGM_FI_DEV_FB_CAPACITY_BYTES{{{LABELS}}} 85899345920
"""


def test_both_families_of_names_say_the_same_in_base_units() -> None:
    old, new = dcgm.parse(OLD), dcgm.parse(NEW)
    assert old == [
        ("GPU-7f", "sm_clock_hz", 1.98e9),
        ("GPU-7f", "temperature_c", 61),
        ("GPU-7f", "power_w", 612.5),
        ("GPU-7f", "energy_j", 4_200),
        ("GPU-7f", "use_ratio", 0.97),
        ("GPU-7f", "memory_used_bytes", 1 << 30),
        ("GPU-7f", "last_xid", 0),
        ("GPU-7f", "row_remap_failure", 0),
    ]
    assert [(each.name, each.value) for each in new] == [
        (each.name, pytest.approx(each.value)) for each in old
    ]
    assert dcgm.judge(old) == (OK, "hottest GPU 61 degrees, drawing 612 W")


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("DCGM_FI_DEV_ROW_REMAP_FAILURE", 1, FAIL),
        ("DCGM_FI_DEV_ROW_REMAP_PENDING", 1, WARN),
        ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 2, FAIL),
        ("DCGM_FI_DEV_GPU_TEMP", 97, WARN),
        ("DCGM_FI_DEV_GPU_TEMP_CELSIUS", 97, WARN),
    ],
)
def test_what_metrics_say_is_wrong(name: str, value: int, outcome: str) -> None:
    samples = dcgm.parse(f"{OLD}{name}{{{LABELS}}} {value}\n")
    assert dcgm.judge(samples).outcome == outcome
