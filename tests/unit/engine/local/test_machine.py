from pathlib import Path

from gigawatt.engine.local.machine import Machine, find_pythons, share_machine, usable_memory
from gigawatt.model.node import Gpu
from gigawatt.model.resources import Resources

GIB = 1 << 30


def _gpus(count: int) -> tuple[Gpu, ...]:
    return tuple(
        Gpu(uuid=f"GPU-{index}", index=index, kind="H100", memory_bytes=80 * GIB)
        for index in range(count)
    )


def _machine(*, cpus: int = 8, memory: int = 32 * GIB, gpus: int = 0) -> Machine:
    return Machine(
        cpus=cpus, memory_bytes=memory, gpus=_gpus(gpus), pythons=("3.11",), system="Linux"
    )


def test_shares_sum_to_the_machine_and_every_device_is_one_nodes() -> None:
    nodes = share_machine(3, _machine(cpus=8, memory=10, gpus=4))
    assert [node.id for node in nodes] == ["node-0", "node-1", "node-2"]
    assert sum(node.milli_cpu for node in nodes) == 8000
    assert sum(node.memory_bytes for node in nodes) == 10
    uuids = [gpu.uuid for node in nodes for gpu in node.gpus]
    assert uuids == ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]


def test_devices_are_counted_anew_on_each_node() -> None:
    second = share_machine(2, _machine(gpus=4))[1]
    assert [(gpu.uuid, gpu.index) for gpu in second.gpus] == [("GPU-2", 0), ("GPU-3", 1)]
    assert second.total == Resources(milli_gpu=2000, milli_cpu=4000, memory_bytes=16 * GIB)


def test_a_node_stands_in_its_rack_of_the_local_site() -> None:
    assert share_machine(1, _machine())[0].topology == (
        "local",
        "",
        "",
        "",
        "rack-0",
        "",
        "node-0",
    )


def test_memory_is_what_the_machine_has_less_a_reserve() -> None:
    assert usable_memory("MemTotal:       33554432 kB\nMemFree: 1 kB\n", None) == 31 * GIB
    assert usable_memory("MemTotal:       4194304 kB\n", None) == 4 * GIB - GIB // 2


def test_a_containers_limit_counts_where_it_is_lower() -> None:
    meminfo = "MemTotal:       33554432 kB\n"
    assert usable_memory(meminfo, 16 * GIB) == 15 * GIB
    assert usable_memory(meminfo, 1 << 62) == 31 * GIB


def test_pythons_are_found_by_name_newest_first(tmp_path: Path) -> None:
    for name in ("python3.9", "python3.12", "python3", "python3.12-config", "python2.7"):
        (tmp_path / name).touch()
    assert find_pythons(f"{tmp_path}:/no/such", own="3.11.7") == ("3.12", "3.11", "3.9")
