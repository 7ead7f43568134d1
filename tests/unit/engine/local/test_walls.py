"""Which walls a launch gets."""

from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.engine.local.walls import FIRST_UID, Builder, Shown, WallRules, parse_shows
from gigawatt.model.gang import GangKind, Isolation
from gigawatt.model.launch import Launch, Placement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources

ABLE = WallRules(program="/usr/bin/bwrap", lacks="", users=True, whole=True)
NOT_ABLE = WallRules(lacks="bubblewrap is not installed (bwrap)")


def launch(
    isolation: Isolation = Isolation.NONE, *, tenant: str = "a", shared: bool = False
) -> Launch:
    return Launch(
        gang="j",
        attempt=1,
        kind=GangKind.JOB,
        name="j",
        tenant=tenant,
        project="p",
        command=("true",),
        env=(),
        placements=(Placement(rank=0, node="n", local_rank=0),),
        per_rank=Resources(),
        isolation=isolation,
        shared=shared,
    )


def kind_of(rules: WallRules, data: Path, given: Launch) -> str | None:
    told = Builder(rules=rules, data=data).of(given)
    return told["kind"] if told else None


def test_a_launch_gets_the_higher_of_what_it_asks_and_what_all_get(tmp_path: Path) -> None:
    found = {
        (floor, asked): kind_of(replace(ABLE, floor=floor), tmp_path, launch(asked))
        for floor in (Isolation.NONE, Isolation.PROCESS, Isolation.USER)
        for asked in Isolation
    }
    none, process, user, node = Isolation
    assert found == {
        (none, none): None,
        (none, process): "process",
        (none, user): "user",
        (none, node): "process",
        (process, none): "process",
        (process, process): "process",
        (process, user): "user",
        (process, node): "process",
        (user, none): "user",
        (user, process): "user",
        (user, user): "user",
        (user, node): "user",
    }


def test_with_other_tenants_there_are_walls_where_there_can_be(tmp_path: Path) -> None:
    assert kind_of(ABLE, tmp_path, launch(shared=True)) == "process"
    assert kind_of(NOT_ABLE, tmp_path, launch(shared=True)) is None


def test_a_class_that_is_not_to_be_had_is_refused_with_what_is_lacking(tmp_path: Path) -> None:
    builder = Builder(rules=NOT_ABLE, data=tmp_path)
    with pytest.raises(RefusalError, match="bubblewrap is not installed") as caught:
        builder.of(launch(Isolation.PROCESS))
    assert (caught.value.code, caught.value.field) == (RefusalCode.UNSUPPORTED, "isolation")


def test_each_tenant_has_a_user_of_its_own_for_good(tmp_path: Path) -> None:
    first = Builder(rules=ABLE, data=tmp_path)
    assert [first.uid(tenant) - FIRST_UID for tenant in ("a", "b", "a", "c")] == [0, 1, 0, 2]
    again = Builder(rules=ABLE, data=tmp_path)
    assert [again.uid(tenant) - FIRST_UID for tenant in ("d", "c")] == [3, 2]


def test_directories_to_show_are_absolute_and_read_only_unless_said() -> None:
    assert parse_shows("/data:/scratch/=rw:/opt=ro") == (
        Shown(path="/data"),
        Shown(path="/scratch", writable=True),
        Shown(path="/opt"),
    )
    for wrong in ("data", "/data=x", "/data/../etc"):
        with pytest.raises(RefusalError, match="no directory to show"):
            parse_shows(wrong)
