"""What the operating system has, asked for real."""

import asyncio
from dataclasses import replace

import pytest

from gigawatt.build.environments import BuildFailedError, environment_id
from gigawatt.build.system import check_system, missing
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.contract.build.conftest import Site, wanting

pytestmark = pytest.mark.slow

NOT_THERE = "gigawatt-no-such-package"


def test_programs_and_libraries_of_the_machine_are_there() -> None:
    assert missing(("sh", "libc.so.6", "sh")) == ()


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(RefusalError) as caught:
        check_system(("sh", NOT_THERE, "libgigawatt7"))
    refusal = caught.value
    assert (refusal.code, refusal.field) == (RefusalCode.UNSUPPORTED, "environment.system")
    assert refusal.detail == f"this machine lacks {NOT_THERE}, libgigawatt7"
    assert refusal.hint.endswith(f"{NOT_THERE} libgigawatt7")


def test_a_name_cannot_be_an_option_of_the_package_manager() -> None:
    assert missing(("--version",)) == ("--version",)


def test_what_went_away_since_submit_fails_the_build(site: Site) -> None:
    spec = replace(wanting("alpha"), system=(NOT_THERE,))
    with pytest.raises(BuildFailedError, match=f"this machine lacks {NOT_THERE}"):
        asyncio.run(site.builder().build(environment_id("acme", spec), spec))
    assert site.left() == []


def test_system_packages_are_part_of_an_environments_name() -> None:
    plain, more = wanting("alpha"), replace(wanting("alpha"), system=("sh",))
    assert environment_id("acme", plain) != environment_id("acme", more)
