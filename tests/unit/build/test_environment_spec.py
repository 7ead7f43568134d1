"""What an environment is known by, and what is refused at submit."""

from dataclasses import replace

import pytest

from gigawatt.build.environment_spec import LOCK_BYTES_MAX, check_spec, environment_id
from gigawatt.build.interpreters import Interpreter, Machine, own_version
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.model.refusal import RefusalCode, RefusalError

MACHINE = Machine(
    kinds=frozenset(EnvironmentKind),
    pythons=(
        Interpreter(version=own_version(patch=True), path="/own/python"),
        Interpreter(version="3.9.18", path="/usr/bin/python3.9"),
        Interpreter(version="3.10.13", path="/usr/bin/python3.10"),
    ),
)
SPEC = EnvironmentSpec(kind=EnvironmentKind.UV, requirements=("numpy", "torch==2.13.0"))


def refused(spec: EnvironmentSpec, machine: Machine = MACHINE) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        check_spec(spec, machine)
    return caught.value


def with_lines(*lines: str) -> EnvironmentSpec:
    return replace(SPEC, requirements=lines)


def with_lock(lock: str) -> EnvironmentSpec:
    return EnvironmentSpec(kind=EnvironmentKind.UV, lock=lock)


def test_the_same_spec_is_the_same_environment() -> None:
    same = replace(
        SPEC, python=own_version(), requirements=("torch==2.13.0", "numpy  # arrays", "", "numpy")
    )
    assert environment_id("acme", same) == environment_id("acme", SPEC)
    assert environment_id("acme", SPEC) == environment_id("acme", SPEC)


def test_another_tenant_python_requirement_or_lock_is_another_environment() -> None:
    ids = {
        environment_id("acme", SPEC),
        environment_id("other", SPEC),
        environment_id("acme", replace(SPEC, python="3.9")),
        environment_id("acme", replace(SPEC, requirements=("numpy",))),
        environment_id("acme", with_lock("numpy==2.0.0")),
    }
    assert len(ids) == 5
    assert all(len(name) == 20 and name.startswith("env-") for name in ids)


def test_the_hosts_environment_is_host() -> None:
    assert environment_id("acme", EnvironmentSpec(kind=EnvironmentKind.HOST)) == "host"


@pytest.mark.parametrize(
    "lines",
    [
        ("numpy", "torch==2.13.0", "scipy[all]>=1; python_version >= '3.9'"),
        ("package @ https://files.example/package-1.0-py3-none-any.whl#sha256=00",),
        ("package @ git+https://git.example/package@v1",),
        ("--extra-index-url https://wheels.example/cpu", "torch"),
        ("# only a comment", ""),
        (),
    ],
)
def test_requirements_as_pip_writes_them_are_accepted(lines: tuple[str, ...]) -> None:
    check_spec(with_lines(*lines), MACHINE)


@pytest.mark.parametrize("python", ["", "3.9", "3.10", "3.10.13"])
def test_a_python_of_the_machine_is_accepted(python: str) -> None:
    check_spec(replace(SPEC, python=python), MACHINE)


@pytest.mark.parametrize("python", ["3.1", "3.99", "3.10.14"])
def test_a_python_that_the_machine_lacks_is_refused_and_the_others_named(python: str) -> None:
    refusal = refused(replace(SPEC, python=python))
    assert (refusal.code, refusal.field) == (RefusalCode.UNSUPPORTED, "environment.python")
    assert refusal.detail == f"this machine has no Python {python}"
    assert refusal.hint.startswith("it has 3.9, 3.10")


@pytest.mark.parametrize("python", ["2.7", "3", "python3.11", ">=3.11", "3.11 "])
def test_what_is_no_python_version_is_refused(python: str) -> None:
    refusal = refused(replace(SPEC, python=python))
    assert (refusal.code, refusal.field) == (RefusalCode.INVALID, "environment.python")


def test_a_kind_that_the_machine_lacks_is_refused_and_the_others_named() -> None:
    refusal = refused(SPEC, replace(MACHINE, kinds=frozenset({EnvironmentKind.HOST})))
    assert (refusal.code, refusal.field) == (RefusalCode.UNSUPPORTED, "environment.kind")
    assert refusal.hint == "it has host"


def test_nothing_is_added_to_the_hosts_environment() -> None:
    refusal = refused(EnvironmentSpec(kind=EnvironmentKind.HOST, requirements=("numpy",)))
    assert (refusal.code, refusal.field) == (RefusalCode.INVALID, "environment.requirements")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-r other.txt", "-r is not possible in an environment"),
        ("-e .", "-e is not possible in an environment"),
        ("--trusted-host x", "--trusted-host is not possible in an environment"),
        ("--index-url", "--index-url needs a value"),
        ("--find-links /etc", "takes an http or https URL here"),
        ("--index-url file:///etc", "takes an http or https URL here"),
        ("./package", "is a path on the machine that builds"),
        ("../package", "is a path on the machine that builds"),
        ("/srv/package.whl", "is a path on the machine that builds"),
        ("package @ file:///srv/package.whl", "is a path on the machine that builds"),
        ("numpy\n-r /etc/passwd", "is not one line of text"),
        ("x" * 3000, "is not one line of text"),
    ],
)
def test_a_line_that_cannot_be_part_of_an_environment_is_refused(line: str, says: str) -> None:
    refusal = refused(with_lines("numpy", line))
    assert (refusal.code, refusal.field) == (RefusalCode.INVALID, "environment.requirements[1]")
    assert says in refusal.detail


def test_every_fault_is_told() -> None:
    refusal = refused(with_lines("-r a", "numpy", "-r b"))
    fields = [fault.field for fault in refusal.faults]
    assert fields == ["environment.requirements[0]", "environment.requirements[2]"]


def test_an_exact_lock_is_accepted() -> None:
    lock = """
# written by uv
--index-url https://index.example/simple
numpy==2.4.6 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via torch
Torch[opt]==2.13.0+cpu ; python_version >= "3.9" --hash=sha256:22
package @ https://files.example/package-1.0.whl#sha256=00
six===1.17.0
"""
    check_spec(with_lock(lock), MACHINE)


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2.*", "numpy==2,!=2.1", "???"])
def test_a_lock_without_exact_versions_is_refused(line: str) -> None:
    refusal = refused(with_lock(f"six==1.17.0\n{line}\n"))
    assert (refusal.code, refusal.field) == (RefusalCode.INVALID, "environment.lock")
    assert refusal.detail == f"{line!r} is not pinned to one version"


def test_a_lock_cannot_read_files_of_the_machine() -> None:
    assert "is a path" in refused(with_lock("six @ file:///srv/six.whl")).detail
    assert "-r is not possible" in refused(with_lock("-r /etc/passwd")).detail


def test_requirements_and_a_lock_together_are_refused() -> None:
    refusal = refused(replace(SPEC, lock="six==1.17.0"))
    assert (refusal.code, refusal.field) == (RefusalCode.INVALID, "environment.lock")


def test_lists_over_the_limits_are_refused() -> None:
    assert refused(with_lines(*["numpy"] * 2001)).code is RefusalCode.TOO_LARGE
    assert refused(with_lock("#" * (LOCK_BYTES_MAX + 1))).code is RefusalCode.TOO_LARGE
