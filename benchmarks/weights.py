"""Loading 1 GB of safetensors, as users are told to, beside `torch.load`. Needs torch and safetensors."""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

TENSORS = 64
SIDE = 2048  # 16 MiB of float32 each
ROUNDS = 5


def run() -> list[Figure]:
    if not all(importlib.util.find_spec(name) for name in ("torch", "safetensors")):
        print("not measured: torch and safetensors are not installed")
        return []
    import safetensors.torch
    import torch

    with tempfile.TemporaryDirectory() as place:
        tensors = {f"layer.{number}": torch.randn(SIDE, SIDE) for number in range(TENSORS)}
        plain, mapped = Path(place) / "w.pt", Path(place) / "w.safetensors"
        torch.save(tensors, plain)
        safetensors.torch.save_file(tensors, mapped)
        del tensors
        loaders = {
            "torch.load": lambda: torch.load(plain),
            "safetensors.torch.load_file": lambda: safetensors.torch.load_file(mapped),
        }
        return _measured(loaders)


def _measured(loaders: dict[str, Callable[[], dict[str, Any]]]) -> list[Figure]:
    """The loaders in turn, so that what else the machine does falls on all of them."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loaders}
    for _ in range(ROUNDS):
        for name, load in loaders.items():
            begin = time.perf_counter()
            tensors = load()
            loaded = time.perf_counter()
            for tensor in tensors.values():
                tensor.sum()
            taken[name].append((loaded - begin, time.perf_counter() - begin))
            del tensors
    figures: list[Figure] = []
    for name, times in taken.items():
        for what, index in (("loaded", 0), ("every byte read", 1)):
            value = statistics.median(each[index] for each in times) * 1000
            figures.append(Figure(what=f"1 GB by {name}, {what}", value=value, unit="ms"))
    return figures
