"""Checks that put load on a machine: known answers from processors, memory, disk and GPUs, for so many seconds each."""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gigawatt.clock import monotonic_s
from gigawatt.engine.checks.said import FAIL, OK, Said

ROUNDS = 20_000  # of hashing, whose end is known
BLOCK_BYTES = 8 << 20
PATTERNS = (0x00, 0xFF, 0x55, 0xAA)
MATRIX = 4_096


def processors(seconds: float) -> Said:
    """Each core computes the same again and again; a core that gets another answer is broken."""
    cores = sorted(os.sched_getaffinity(0))
    with get_context("fork").Pool(len(cores)) as pool:
        answers = pool.starmap(_hash_on, [(core, seconds) for core in cores])
    expected = _chain()
    wrong = [core for core, (answer, _) in zip(cores, answers, strict=True) if answer != expected]
    if wrong:
        return Said(FAIL, f"core {wrong[0]} computes wrong answers")
    return Said(OK, f"{len(cores)} cores, {sum(done for _, done in answers)} rounds")


def memory(seconds: float, bytes_max: int = 256 << 20) -> Said:
    """Patterns written and read back."""
    size = max(min(bytes_max, _free_bytes() // 8) // BLOCK_BYTES, 1) * BLOCK_BYTES
    held = bytearray(size)
    until = monotonic_s() + seconds
    passes = 0
    while passes == 0 or monotonic_s() < until:
        pattern = bytes([PATTERNS[passes % len(PATTERNS)]]) * BLOCK_BYTES
        for start in range(0, size, BLOCK_BYTES):
            held[start : start + BLOCK_BYTES] = pattern
        for start in range(0, size, BLOCK_BYTES):
            if bytes(held[start : start + BLOCK_BYTES]) != pattern:
                return Said(FAIL, f"memory differs from what was written, pass {passes + 1}")
        passes += 1
    return Said(OK, f"{size >> 20} MiB, {passes} passes")


def disk(directory: Path, seconds: float) -> Said:
    """Blocks written, brought to the disk, and read back the same."""
    path = directory / f"check-{os.getpid()}"
    block = hashlib.shake_256(b"gigawatt").digest(BLOCK_BYTES)
    began = monotonic_s()
    written = 0
    try:
        with path.open("w+b", buffering=0) as file:
            while written == 0 or monotonic_s() - began < seconds / 2:
                file.write(block)
                os.fsync(file.fileno())
                written += BLOCK_BYTES
                if written >= 64 * BLOCK_BYTES:
                    break
            took_s = monotonic_s() - began
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            while data := file.read(BLOCK_BYTES):
                if data != block:
                    return Said(FAIL, "the disk gives back other bytes than were written")
    except OSError as error:
        return Said(FAIL, f"{directory}: {error.strerror}")
    finally:
        path.unlink(missing_ok=True)
    return Said(OK, f"writes {written / took_s / 1e6:.0f} MB/s")


def gpus(seconds: float) -> Said:
    """The same product of matrices on each GPU, through PyTorch where this Python has it. Not run on real GPUs here."""
    try:
        torch: Any = import_module("torch")
    except ImportError:
        return Said(OK, "this Python has no PyTorch: not run")
    if not torch.cuda.is_available():
        return Said(OK, "no GPU")
    rates: list[str] = []
    for index in range(torch.cuda.device_count()):
        device = torch.device("cuda", index)
        torch.manual_seed(0)
        left = torch.randn(MATRIX, MATRIX, device=device, dtype=torch.bfloat16)
        first = left @ left
        began, rounds = monotonic_s(), 0
        while rounds == 0 or monotonic_s() - began < seconds:
            if not torch.equal(left @ left, first):
                return Said(FAIL, f"GPU {index} computes different products")
            rounds += 1
        took_s = monotonic_s() - began
        rates.append(f"{2 * MATRIX**3 * rounds / took_s / 1e12:.0f}")
    return Said(OK, f"{', '.join(rates)} TFLOP/s")


def _chain() -> str:
    digest = b"gigawatt"
    for _ in range(ROUNDS):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


def _hash_on(core: int, seconds: float) -> tuple[str, int]:
    """The last answer that differs from the others, or the common one."""
    os.sched_setaffinity(0, {core})
    until = monotonic_s() + seconds
    first, rounds = _chain(), 1
    while monotonic_s() < until:
        answer = _chain()
        rounds += 1
        if answer != first:
            return answer, rounds
    return first, rounds


def _free_bytes() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
