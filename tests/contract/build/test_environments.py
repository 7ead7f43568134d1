"""Environments built for real by uv, from packages made on the spot."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gigawatt.build.environments import BuildFailedError, Built, environment_id
from gigawatt.build.interpreters import Machine, own_version
from gigawatt.model.environment import EnvironmentSpec
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.contract.build.conftest import Site, locked, output_of, wait_until, wanting
from tests.contract.build.packages import make_index, make_slow, make_wheel, sha256_of

pytestmark = pytest.mark.slow

WHEN_WAITED_AT = "slow==1.0"


def build(site: Site, spec: EnvironmentSpec, **variables: str) -> Built:
    builder = site.builder(**variables)
    return asyncio.run(builder.build(environment_id("acme", spec), spec, site.hear))


def failure(site: Site, spec: EnvironmentSpec, **variables: str) -> str:
    with pytest.raises(BuildFailedError) as caught:
        build(site, spec, **variables)
    assert site.left() == []
    return caught.value.message


def test_requirements_are_resolved_installed_and_locked(site: Site) -> None:
    built = build(site, wanting("alpha"))
    assert output_of(built, "import alpha, beta; print(alpha.VERSION, beta.VERSION)") == "1.0 1.0"
    assert [line for line in built.lock.splitlines() if not line.startswith(" ")] == [
        "alpha==1.0 \\",
        "beta==1.0 \\",
    ]
    assert f"--hash=sha256:{sha256_of(site.wheels / 'alpha-1.0-py3-none-any.whl')}" in built.lock
    assert built.path == site.root / environment_id("acme", wanting("alpha"))
    assert (built.size_bytes > 1000, built.build_ms > 0) == (True, True)


def test_the_stages_are_told_with_what_uv_said(site: Site) -> None:
    build(site, wanting("alpha"))
    order = list(dict.fromkeys(stage for stage, _ in site.stages))
    assert order == ["resolving", "installing", "finishing"]
    said = [said for _, said in site.stages]
    assert any(text.startswith("Resolved 2 packages") for text in said)
    assert "2 packages" in said
    assert any(text.startswith("Installed 2 packages") for text in said)


def test_scripts_run_where_the_environment_came_to_stand(site: Site) -> None:
    built = build(site, wanting("alpha"))
    answer = subprocess.run([built.path / "bin" / "alpha"], capture_output=True, check=True)
    assert answer.stdout == b"1.0\n"


def test_files_are_hard_links_into_the_cache(site: Site) -> None:
    built = build(site, wanting("alpha"))
    (module,) = built.path.glob("lib/python*/site-packages/alpha.py")
    assert module.stat().st_nlink > 1


def test_two_tenants_share_packages_but_not_environments(site: Site) -> None:
    spec = wanting("alpha")
    builder = site.builder()
    ids = [environment_id(tenant, spec) for tenant in ("acme", "other")]
    first, second = (asyncio.run(builder.build(name, spec)) for name in ids)
    assert first.path != second.path
    modules = [
        next(each.path.glob("lib/python*/site-packages/beta.py")) for each in (first, second)
    ]
    assert modules[0].stat().st_ino == modules[1].stat().st_ino


def test_an_environment_without_requirements_is_a_bare_python(site: Site) -> None:
    built = build(site, wanting())
    assert output_of(built, "import sys; print('%d.%d' % sys.version_info[:2])") == own_version()
    assert built.lock == ""


def test_another_python_of_the_machine_is_used(site: Site, machine: Machine) -> None:
    others = [version for version in machine.versions if version != own_version()]
    if not others:
        pytest.skip("this machine has one Python")
    spec = EnvironmentSpec(kind=wanting().kind, python=others[-1], requirements=("alpha",))
    built = build(site, spec)
    assert (
        output_of(built, "import sys, alpha; print('%d.%d' % sys.version_info[:2])") == others[-1]
    )


def test_what_is_built_is_not_built_again(site: Site) -> None:
    first = build(site, wanting("alpha"))
    site.stages.clear()
    assert build(site, wanting("alpha")) == first
    assert site.stages == []


def test_many_who_ask_at_once_get_one_build(site: Site) -> None:
    spec = wanting("alpha")
    heard: list[list[str]] = [[] for _ in range(20)]

    async def ask(listener: Callable[[str, str], None]) -> Built:
        return await builder.build(environment_id("acme", spec), spec, listener)

    async def run() -> list[Built]:
        return await asyncio.gather(*(ask(lambda _, said, at=at: at.append(said)) for at in heard))

    builder = site.builder()
    assert len({(built.path, built.build_ms) for built in asyncio.run(run())}) == 1
    assert all(said == heard[0] for said in heard)
    assert sum(said.startswith("Installed") for said in heard[0]) == 1


def test_processes_that_ask_at_once_build_once(site: Site) -> None:
    processes = [start_build(site, "alpha") for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({answer["path"] for answer in answers}) == 1
    assert sum("installing" in answer["stages"] for answer in answers) == 1


def start_build(site: Site, *requirements: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("one_build.py")
    return subprocess.Popen(
        [sys.executable, script, site.place, *requirements],
        env=site.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def test_an_unknown_package_is_explained_in_the_resolvers_words(site: Site) -> None:
    message = failure(site, wanting("alpha", "no-such-package==1.0"))
    assert "no-such-package" in message
    assert "unsatisfiable" in message
    assert message.startswith("error: ")


def test_a_conflict_is_explained_in_the_resolvers_words(site: Site) -> None:
    message = failure(site, wanting("alpha", "beta==0.5"))
    assert "alpha" in message
    assert "beta==0.5" in message
    assert "unsatisfiable" in message


def test_a_line_that_is_no_requirement_is_explained(site: Site) -> None:
    assert "alpha ===== 1" in failure(site, wanting("alpha ===== 1"))


def test_a_failure_leaves_nothing_and_can_be_tried_again(site: Site) -> None:
    failure(site, wanting("delta"))
    make_wheel(site.wheels, "delta", "1.0")
    assert output_of(build(site, wanting("delta")), "import delta; print(delta.VERSION)") == "1.0"


def test_a_python_that_went_away_since_submit_is_explained(site: Site) -> None:
    spec = EnvironmentSpec(kind=wanting().kind, python="3.99")
    assert failure(site, spec).startswith("this machine has no Python 3.99; it has ")


def test_a_lock_is_installed_as_it_stands(site: Site) -> None:
    built = build(site, locked("beta==0.5\n# no alpha\n"))
    assert output_of(built, "import beta; print(beta.VERSION)") == "0.5"
    assert built.lock == "beta==0.5\n# no alpha\n"


def test_a_lock_with_hashes_is_checked(site: Site) -> None:
    digest = sha256_of(site.wheels / "beta-1.0-py3-none-any.whl")
    built = build(site, locked(f"beta==1.0 \\\n    --hash=sha256:{digest}\n"))
    assert output_of(built, "import beta; print(beta.VERSION)") == "1.0"


def test_a_hash_that_does_not_match_is_explained(site: Site) -> None:
    message = failure(site, locked(f"beta==1.0 --hash=sha256:{'0' * 64}\n"))
    assert "Hash mismatch for `beta==1.0`" in message


def test_a_hash_that_is_missing_in_a_lock_with_hashes_is_explained(site: Site) -> None:
    message = failure(site, locked(f"alpha==1.0 --hash=sha256:{'0' * 64}\nbeta==1.0\n"))
    assert "all requirements must have a hash" in message
    assert "beta==1.0" in message


def test_an_unknown_package_in_a_lock_is_explained(site: Site) -> None:
    assert "beta==7.0" in failure(site, locked("beta==7.0\n"))


def test_file_indexes_are_equals_and_need_not_have_every_page(site: Site, tmp_path: Path) -> None:
    first = make_index(tmp_path / "one", site.wheels / "beta-0.5-py3-none-any.whl")
    wheels = [site.wheels / f"{name}-1.0-py3-none-any.whl" for name in ("alpha", "beta")]
    second = make_index(tmp_path / "two", *wheels)
    missing = (tmp_path / "missing").as_uri()
    built = build(
        site,
        wanting("alpha"),
        PIP_NO_INDEX="0",
        PIP_FIND_LINKS=str(tmp_path / "not-there"),
        PIP_INDEX_URL=first,
        PIP_EXTRA_INDEX_URL=f"{second} {missing}",
    )
    assert output_of(built, "import beta; print(beta.VERSION)") == "1.0"


def test_the_machines_constraints_hold(site: Site) -> None:
    limits = site.place / "constraints.txt"
    limits.write_text("beta<1\n")
    built = build(site, wanting("beta"), PIP_CONSTRAINT=str(limits))
    assert output_of(built, "import beta; print(beta.VERSION)") == "0.5"


def test_credentials_of_an_index_are_not_repeated(site: Site) -> None:
    message = failure(
        site,
        wanting("delta"),
        PIP_NO_INDEX="0",
        PIP_RETRIES="0",
        PIP_INDEX_URL="http://user:s3cret@127.0.0.1:9/simple",
    )
    assert "127.0.0.1:9" in message
    assert "s3cret" not in message + str(site.stages)


def test_a_killed_build_is_taken_for_nothing_and_built_at_the_next_ask(site: Site) -> None:
    slow = make_slow(site.wheels, site.place / "gate")
    process = start_build(site, WHEN_WAITED_AT)
    wait_until(lambda: slow.reached)
    process.kill()
    process.communicate()
    spec = wanting(WHEN_WAITED_AT)
    name = environment_id("acme", spec)
    assert site.left() == [f"{name}.partial"]
    assert site.builder().built(name) is None
    assert site.builder().sweep() == ()  # the uv it started still works there

    async def run() -> str:
        task = asyncio.create_task(site.builder().build(name, spec, site.hear))
        await asyncio.to_thread(wait_until, lambda: bool(site.stages))
        assert site.stages == [("waiting", "another process builds it")]
        slow.open_gate()
        with pytest.raises(BuildFailedError) as caught:
            await task
        return caught.value.message

    assert "slow cannot be built" in asyncio.run(run())
    assert site.left() == []


def test_what_a_killed_build_left_is_swept(site: Site) -> None:
    spec = wanting("alpha")
    name = environment_id("acme", spec)
    (site.root / f"{name}.partial" / "venv").mkdir(parents=True)
    (site.root / f"{name}.removed").mkdir()
    assert site.builder().sweep() == (f"{name}.partial", f"{name}.removed")
    assert site.left() == []


def test_what_a_killed_build_left_does_not_stand_in_the_way(site: Site) -> None:
    spec = wanting("alpha")
    left = site.root / f"{environment_id('acme', spec)}.partial" / "venv" / "bin"
    left.mkdir(parents=True)
    (left / "python").symlink_to("/not/there")
    assert output_of(build(site, spec), "import alpha; print(alpha.VERSION)") == "1.0"
    assert site.left() == [environment_id("acme", spec)]


def test_cancelling_the_last_who_waits_ends_the_build_and_its_processes(site: Site) -> None:
    slow = make_slow(site.wheels, site.place / "gate")
    spec = wanting(WHEN_WAITED_AT)

    async def run() -> None:
        builder = site.builder()
        name = environment_id("acme", spec)
        tasks = [asyncio.create_task(builder.build(name, spec)) for _ in range(2)]
        await asyncio.to_thread(wait_until, lambda: slow.reached)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        assert slow.waited_at
        tasks[1].cancel()
        await asyncio.wait(tasks)
        await asyncio.to_thread(wait_until, lambda: not slow.waited_at)

    asyncio.run(run())
    assert site.left() == []


def test_a_killed_uv_is_said_so(site: Site) -> None:
    slow = make_slow(site.wheels, site.place / "gate")

    async def run() -> str:
        spec = wanting(WHEN_WAITED_AT)
        task = asyncio.create_task(site.builder().build(environment_id("acme", spec), spec))
        await asyncio.to_thread(wait_until, lambda: slow.reached)
        for pid in children_of_this_process():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(BuildFailedError) as caught:
            await task
        return caught.value.message

    assert asyncio.run(run()).startswith("uv was ended by SIGKILL")
    slow.open_gate()
    assert site.left() == []


def children_of_this_process() -> list[int]:
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for path in lists for pid in path.read_text().split()]


def test_an_environment_whose_python_is_gone_is_built_again(site: Site) -> None:
    built = build(site, wanting("alpha"))
    (built.path / "bin" / "python").unlink()
    (built.path / "bin" / "python").symlink_to("/not/there/python")
    assert site.builder().built(built.path.name) is None
    assert output_of(build(site, wanting("alpha")), "import alpha; print(alpha.VERSION)") == "1.0"


def test_removing_takes_the_environment_away(site: Site) -> None:
    name = build(site, wanting("alpha")).path.name
    assert site.builder().remove(name)
    assert (site.left(), site.builder().built(name)) == ([], None)
    assert not site.builder().remove(name)


def test_what_is_being_built_is_not_removed(site: Site) -> None:
    slow = make_slow(site.wheels, site.place / "gate")

    async def run() -> None:
        spec = wanting(WHEN_WAITED_AT)
        builder = site.builder()
        name = environment_id("acme", spec)
        task = asyncio.create_task(builder.build(name, spec))
        await asyncio.to_thread(wait_until, lambda: slow.reached)
        with pytest.raises(RefusalError) as caught:
            builder.remove(name)
        assert caught.value.code is RefusalCode.CONFLICT
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
