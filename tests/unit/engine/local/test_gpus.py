"""NVML's answers as they were recorded: strings since version 12, bytes before."""

from dataclasses import dataclass

from gigawatt.engine.local.gpus import find_gpus
from gigawatt.model.node import Gpu


class NvmlError(Exception):
    pass


@dataclass
class MemoryInfo:
    total: int


class RecordedNvml:
    """Two devices of one machine."""

    NVMLError: type[Exception] = NvmlError

    def __init__(self, *, as_bytes: bool = False, driver: bool = True) -> None:
        self._as_bytes = as_bytes
        self._driver = driver
        self.open = 0

    def nvmlInit(self) -> None:
        if not self._driver:
            raise NvmlError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:
        return index

    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes:
        return self._text(f"GPU-7c1f0e2a-{handle}")

    def nvmlDeviceGetName(self, handle: object) -> str | bytes:
        return self._text("NVIDIA H100 80GB HBM3")

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> MemoryInfo:
        return MemoryInfo(85_520_809_984)

    def _text(self, text: str) -> str | bytes:
        return text.encode() if self._as_bytes else text


FOUND = tuple(
    Gpu(
        uuid=f"GPU-7c1f0e2a-{index}",
        index=index,
        kind="H100 80GB HBM3",
        memory_bytes=85_520_809_984,
    )
    for index in range(2)
)


def test_devices_are_named_by_uuid_index_and_kind() -> None:
    nvml = RecordedNvml()
    assert find_gpus(nvml) == FOUND
    assert nvml.open == 0


def test_an_older_librarys_bytes_are_text_too() -> None:
    assert find_gpus(RecordedNvml(as_bytes=True)) == FOUND


def test_without_library_or_driver_there_are_none() -> None:
    assert find_gpus(None) == ()
    assert find_gpus(RecordedNvml(driver=False)) == ()
