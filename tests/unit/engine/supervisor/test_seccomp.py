"""The filter of system calls, carried out by an interpreter of the five operations that it is made of."""

import struct

import pytest

from gigawatt.engine.supervisor import seccomp

MACHINES = tuple(seccomp.MACHINES)
READ = {"x86_64": 0, "aarch64": 63}
NEW_THREAD = 0x003D0F00  # what pthread_create asks clone for


def answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the kernel would answer to a call."""
    code = seccomp.filter_of(machine)
    program = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    own, _ = seccomp.MACHINES[machine]
    data = struct.pack("=iIQ", number, own if architecture is None else architecture, 0)
    data += struct.pack("=6Q", *(*arguments, *([0] * 6))[:6])
    at = value = 0
    while True:
        operation, yes, no, operand = program[at]
        at += 1
        if operation == seccomp.LOAD:
            (value,) = struct.unpack_from("=I", data, operand)
        elif operation == seccomp.RETURN:
            return operand
        else:
            holds = {
                seccomp.EQUAL: value == operand,
                seccomp.AT_LEAST: value >= operand,
                seccomp.ANY_BIT: bool(value & operand),
            }[operation]
            at += yes if holds else no


@pytest.mark.parametrize("machine", MACHINES)
def test_each_call_is_refused_absent_or_allowed_as_its_list_says(machine: str) -> None:
    _, numbers = seccomp.MACHINES[machine]
    for name in seccomp.REFUSED:
        if name in numbers:
            assert (name, answer(machine, numbers[name])) == (name, seccomp.EPERM)
    for name in seccomp.ABSENT:
        assert (name, answer(machine, numbers[name])) == (name, seccomp.ENOSYS)
    assert answer(machine, READ[machine], 0, 0, 4096) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_are_allowed_and_user_name_spaces_are_not(machine: str) -> None:
    _, numbers = seccomp.MACHINES[machine]
    for name in ("clone", "unshare"):
        assert answer(machine, numbers[name], NEW_THREAD) == seccomp.ALLOW
        both = NEW_THREAD | seccomp.NEW_USER_SPACE
        assert answer(machine, numbers[name], both) == seccomp.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_faked_keys_and_odd_sockets_are_refused_and_others_are_not(machine: str) -> None:
    _, numbers = seccomp.MACHINES[machine]
    for request in seccomp.FAKED_INPUT:
        assert answer(machine, numbers["ioctl"], 0, request) == seccomp.EPERM
    assert answer(machine, numbers["ioctl"], 0, 0x5413) == seccomp.ALLOW
    for family in seccomp.SOCKETS_REFUSED:
        assert answer(machine, numbers["socket"], family) == seccomp.EPERM
    for family in (1, 2, 10, 16):
        assert answer(machine, numbers["socket"], family) == seccomp.ALLOW


def test_another_way_to_call_the_kernel_is_refused_whatever_it_asks() -> None:
    assert answer("x86_64", seccomp.X32 | 1) == seccomp.EPERM
    assert answer("x86_64", 4, architecture=0x40000003) == seccomp.EPERM
