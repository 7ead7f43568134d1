"""The GPUs of this machine, as NVML names them. Without its library or a driver there are none."""

from importlib import import_module
from typing import Protocol, cast

from gigawatt.model.node import Gpu


class Nvml(Protocol):
    """What we use of the module `pynvml`."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802 - the library's name
    def nvmlShutdown(self) -> None: ...  # noqa: N802 - the library's name
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802 - the library's name
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: N802 - the library's name
    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes: ...  # noqa: N802 - the library's name
    def nvmlDeviceGetName(self, handle: object) -> str | bytes: ...  # noqa: N802 - the library's name
    def nvmlDeviceGetMemoryInfo(self, handle: object) -> "Memory": ...  # noqa: N802 - the library's name


class Memory(Protocol):
    total: int


def load_nvml() -> Nvml | None:
    """The library of the extra `gpu`, if it is installed."""
    try:
        return cast("Nvml", import_module("pynvml"))
    except ImportError:
        return None


def find_gpus(nvml: Nvml | None) -> tuple[Gpu, ...]:
    """Every device, by index."""
    if nvml is None:
        return ()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()  # the library is there and a driver is not
    try:
        return tuple(_read(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    finally:
        nvml.nvmlShutdown()


def _read(nvml: Nvml, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return Gpu(
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        index=index,
        kind=_text(nvml.nvmlDeviceGetName(handle)).removeprefix("NVIDIA "),
        memory_bytes=nvml.nvmlDeviceGetMemoryInfo(handle).total,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
