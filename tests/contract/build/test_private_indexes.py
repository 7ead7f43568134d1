"""Private indexes: entered with a secret that is said to uv alone."""

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.build.environments import BuildFailedError, Built, EnvironmentBuilder, environment_id
from gigawatt.build.secrets import Secret, SecretFiles
from gigawatt.build.wrapping import held_keys
from gigawatt.model.environment import EnvironmentSpec, Index
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.contract.build.conftest import Site, output_of, wanting
from tests.contract.build.packages import make_index, make_slow, make_wheel
from tests.contract.build.private_index import PrivateIndex, private_index

pytestmark = pytest.mark.slow

PASSWORD = "s3cret-p4ss/word"
OWNER = "acme/vision"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PrivateIndex]:
    make_wheel(tmp_path / "private", "hidden", "3.0", requires=("beta",))
    make_wheel(tmp_path / "private", "beta", "0.9")
    with private_index(tmp_path / "private", f"ci:{PASSWORD}") as server:
        yield server


@pytest.fixture
def secrets(tmp_path: Path, index: PrivateIndex) -> SecretFiles:
    files = SecretFiles(tmp_path / "secrets", held_keys())
    files.put(OWNER, Secret(name="ours", url=index.url, value=index.pair))
    return files


def entering(index: PrivateIndex, *requirements: str) -> EnvironmentSpec:
    entry = Index(url=index.url, secret="ours", owner=OWNER)
    return replace(wanting(*requirements), indexes=(entry,))


def build(site: Site, secrets: SecretFiles, spec: EnvironmentSpec) -> Built:
    builder = EnvironmentBuilder(site.root, environ=site.environ, secret_of=secrets.read)
    return asyncio.run(builder.build(environment_id("acme", spec), spec, site.hear))


def holding(place: Path, text: str) -> list[Path]:
    """Files below `place` that hold a text."""
    files = (path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in files if text.encode() in path.read_bytes())


def test_packages_come_from_the_private_index_and_the_secret_stays_in_its_file(
    site: Site, secrets: SecretFiles, index: PrivateIndex
) -> None:
    built = build(site, secrets, entering(index, "hidden"))
    assert output_of(built, "import hidden, beta; print(hidden.VERSION, beta.VERSION)") == "3.0 1.0"
    assert ("/files/hidden-3.0-py3-none-any.whl", True) in index.asked
    assert holding(site.place, PASSWORD) == [
        site.place / "secrets" / "acme" / "vision" / "ours.json"
    ]
    assert PASSWORD not in built.lock + str(site.stages)


def test_a_name_that_the_private_index_has_is_never_taken_from_a_public_one(
    site: Site, secrets: SecretFiles, index: PrivateIndex, tmp_path: Path
) -> None:
    public = make_index(tmp_path / "public", make_wheel(tmp_path / "files", "beta", "9.0"))
    site.environ = {
        **{name: site.environ[name] for name in ("HOME", "PATH", "PIP_CONFIG_FILE")},
        "PIP_INDEX_URL": public,
    }
    built = build(site, secrets, entering(index, "hidden"))
    assert output_of(built, "import beta; print(beta.VERSION)") == "0.9"


def test_a_failing_build_does_not_tell_the_secret(
    site: Site, secrets: SecretFiles, index: PrivateIndex
) -> None:
    with pytest.raises(BuildFailedError) as caught:
        build(site, secrets, entering(index, "hidden==99"))
    assert "hidden" in caught.value.message
    index.pair = "nobody"
    secrets.put(OWNER, Secret(name="ours", url=index.url, value=f"ci:wrong-{PASSWORD}"))
    with pytest.raises(BuildFailedError) as refused:
        build(site, secrets, entering(index, "hidden"))
    told = caught.value.message + refused.value.message + str(site.stages)
    assert PASSWORD not in told
    assert "hidden" in refused.value.message
    assert site.left() == []


def test_a_package_without_a_wheel_is_refused_since_its_build_would_see_the_secret(
    site: Site, secrets: SecretFiles, index: PrivateIndex
) -> None:
    slow = make_slow(site.wheels, site.place / "gate")
    with pytest.raises(BuildFailedError, match="slow"):
        build(site, secrets, entering(index, "slow==1.0"))
    assert not slow.reached


def test_what_one_project_may_read_does_not_reach_another_through_a_cache(
    site: Site, secrets: SecretFiles, index: PrivateIndex
) -> None:
    build(site, secrets, entering(index, "hidden"))
    open_entry = Index(url=index.url)
    with pytest.raises(BuildFailedError):
        build(site, secrets, replace(wanting("hidden"), indexes=(open_entry,)))


def test_a_secret_is_for_its_owner_and_for_its_address(
    site: Site, secrets: SecretFiles, index: PrivateIndex
) -> None:
    spec = entering(index, "hidden")
    other = replace(spec, indexes=(replace(spec.indexes[0], owner="acme/other"),))
    assert environment_id("acme", spec) != environment_id("acme", other)
    with pytest.raises(BuildFailedError, match="there is no secret ours"):
        build(site, secrets, other)
    asked = list(index.asked)
    elsewhere = replace(spec.indexes[0], url=index.url.replace("/simple", "/else"))
    with pytest.raises(BuildFailedError, match="is not below that"):
        build(site, secrets, replace(spec, indexes=(elsewhere,)))
    assert index.asked == asked


def test_only_its_owner_can_read_a_secrets_file(secrets: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "acme" / "vision" / "ours.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    with pytest.raises(RefusalError) as caught:
        secrets.read(OWNER, "ours")
    assert caught.value.code is RefusalCode.NOT_FOUND
    with pytest.raises(RefusalError):
        secrets.read("acme/../..", "ours")
