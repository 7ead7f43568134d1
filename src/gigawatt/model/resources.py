"""Amounts of what a node has and a gang needs: integers, so that sums are exact."""

from dataclasses import dataclass

KINDS = ("milli_gpu", "milli_cpu", "memory_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Milli-GPUs (1000 is one device), milli-cores and bytes of memory."""

    milli_gpu: int = 0
    milli_cpu: int = 0
    memory_bytes: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            milli_gpu=self.milli_gpu + other.milli_gpu,
            milli_cpu=self.milli_cpu + other.milli_cpu,
            memory_bytes=self.memory_bytes + other.memory_bytes,
        )

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(
            milli_gpu=self.milli_gpu - other.milli_gpu,
            milli_cpu=self.milli_cpu - other.milli_cpu,
            memory_bytes=self.memory_bytes - other.memory_bytes,
        )

    def times(self, count: int) -> "Resources":
        return Resources(
            milli_gpu=self.milli_gpu * count,
            milli_cpu=self.milli_cpu * count,
            memory_bytes=self.memory_bytes * count,
        )

    def fits_in(self, other: "Resources") -> bool:
        return (
            self.milli_gpu <= other.milli_gpu
            and self.milli_cpu <= other.milli_cpu
            and self.memory_bytes <= other.memory_bytes
        )

    def vector(self) -> tuple[int, int, int]:
        """The amounts in the order of `KINDS`."""
        return (self.milli_gpu, self.milli_cpu, self.memory_bytes)
