"""Data through the production cycle: what nodes keep, launches that fetch it, versions that jobs hold."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from gigawatt.model.action import Action, StartAttempt
from gigawatt.model.command import AddVolumeVersion, CreateVolume, DeleteVolume
from gigawatt.model.job import JobPhase, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import DataCached, LaunchPreparing
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.volume import Mount, Volume, VolumeKind, VolumeVersion
from tests.loop import Loop, a_spec
from tests.machines import Machines, a_report

DIGEST = "sha256:" + "0" * 64
PLACE: dict[str, Any] = {"tenant": "default", "project": "default", "by": "tester"}


@dataclass(slots=True)
class SlowMachines(Machines):
    """Launches stay on their way."""

    def carry_out(self, action: Action) -> None:
        if not isinstance(action, StartAttempt):
            Machines.carry_out(self, action)


def with_version(loop: Loop, name: str = "corpus") -> Volume:
    if f"default/default/{name}" not in loop.world.volumes:
        loop.ask(CreateVolume(**PLACE, name=name, kind=VolumeKind.MANAGED))
    version = loop.ask(version_of(loop, name))
    assert isinstance(version, VolumeVersion)
    return loop.world.volumes[f"default/default/{name}"]


def version_of(loop: Loop, name: str = "corpus", *, stored_bytes: int = 10) -> AddVolumeVersion:
    volume = loop.world.volumes[f"default/default/{name}"]
    return AddVolumeVersion(
        **PLACE,
        name=name,
        digest=DIGEST,
        size_bytes=10,
        files=1,
        stored_bytes=stored_bytes,
        volume_version=volume.version,
    )


def reading(number: int = 1) -> JobSpec:
    mount = Mount(volume="corpus", path="in", number=number, digest=DIGEST, size_bytes=10)
    return replace(a_spec(), volumes=(mount,))


def test_what_a_node_keeps_is_on_record_and_draws_gangs_to_it() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"), a_report("n3"))
    with_version(loop)
    loop.step([DataCached(at_ms=loop.now_ms, node="n2", digests=(DIGEST,))])
    loop.restart()
    assert loop.world.nodes["n2"].cached == (DIGEST,)
    loop.submit(reading())
    assert loop.job().attempts[0].nodes == ("n2",)
    loop.step([DataCached(at_ms=loop.now_ms, node="n2", digests=())])
    assert loop.world.nodes["n2"].cached == ()


def test_a_launch_that_fetches_its_data_is_not_overdue_as_long_as_that_is_told() -> None:
    loop = Loop(SlowMachines({"n1": a_report("n1")}))
    loop.restart()
    with_version(loop)
    loop.submit(reading())
    key = AttemptKey(gang="job-1", attempt=1)
    for _ in range(20):
        loop.later(10_000)
        loop.step([LaunchPreparing(at_ms=loop.now_ms, key=key)])
        assert loop.job().phase is JobPhase.STARTING
    loop.later(59_000)
    loop.step()
    assert loop.job().phase is JobPhase.STARTING
    loop.later(2_000)
    loop.step()
    assert [fact.what for fact in loop.job().attempts[0].evidence] == ["launch_failed"]


def test_a_version_that_a_live_job_mounts_is_not_deleted() -> None:
    loop = Loop.of(a_report("n1"))
    volume = with_version(loop)
    loop.submit(reading())
    for number in (1, 0):
        with pytest.raises(RefusalError) as refused:
            loop.ask(
                DeleteVolume(**PLACE, name="corpus", number=number, volume_version=volume.version)
            )
        assert refused.value.code is RefusalCode.CONFLICT
    loop.machines.exit(AttemptKey(gang="job-1", attempt=1), 0)
    loop.step()
    loop.ask(DeleteVolume(**PLACE, name="corpus", number=1, volume_version=volume.version))
    with pytest.raises(RefusalError) as refused:
        loop.submit(reading(), id="job-2")
    assert refused.value.detail == "corpus:1 was deleted; it has none"


def test_numbers_are_not_given_again_not_even_after_a_restart() -> None:
    loop = Loop.of(a_report("n1"))
    with_version(loop)
    loop.ask(DeleteVolume(**PLACE, name="corpus"))
    loop.restart()
    loop.ask(CreateVolume(**PLACE, name="corpus", kind=VolumeKind.MANAGED))
    assert with_version(loop).latest == 2
    with pytest.raises(RefusalError):
        loop.ask(CreateVolume(**PLACE, name="corpus", kind=VolumeKind.MANAGED))


def test_a_version_worked_out_for_an_older_volume_is_refused() -> None:
    loop = Loop.of(a_report("n1"))
    with_version(loop)
    late = version_of(loop)
    with_version(loop)
    with pytest.raises(RefusalError) as refused:
        loop.ask(late)
    assert refused.value.code is RefusalCode.STALE_VERSION
