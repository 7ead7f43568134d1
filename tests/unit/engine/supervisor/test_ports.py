from pathlib import Path

import pytest

from gigawatt.engine.supervisor.ports import Ports, port_range


@pytest.mark.parametrize(
    ("ephemeral", "ports"),
    [
        ("32768\t60999\n", range(20_768, 32_768)),
        ("10000 60999", range(1024, 10_000)),
        ("1024 60999", range(61_000, 65_536)),
        ("1024 65535", range(20_000, 32_000)),
    ],
)
def test_ports_come_from_where_the_kernel_takes_none(ephemeral: str, ports: range) -> None:
    assert port_range(ephemeral) == ports


def test_two_allocators_of_one_directory_never_give_the_same_port(tmp_path: Path) -> None:
    one, two = Ports(tmp_path / "ports", start=0), Ports(tmp_path / "ports", start=0)
    held = [ports.allocate() for _ in range(5) for ports in (one, two)]
    assert len({port.number for port in held}) == 10
    for port in held:
        port.free()


def test_a_freed_port_is_given_again(tmp_path: Path) -> None:
    first = Ports(tmp_path / "ports", start=0).allocate()
    first.free()
    second = Ports(tmp_path / "ports", start=0).allocate()
    assert second.number == first.number
    second.free()
