"""Python projects of a bundle, built as wheels into environments."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.build.environments import BuildFailedError, Built, EnvironmentBuilder, environment_id
from gigawatt.build.local_packages import package_digest
from gigawatt.build.locks import Pin, pins
from gigawatt.model.environment import EnvironmentSpec, LocalPackage
from gigawatt.sdk.bundle import pack
from tests.contract.build.conftest import Site, output_of, wanting

pytestmark = pytest.mark.slow

# A backend that needs nothing: builds must not depend on a network.
BACKEND = """
import zipfile
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = "mine-1.5.dist-info"
    files = {
        "mine.py": open("mine.py").read(),
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.5\\nRequires-Dist: beta\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/RECORD": "",
    }
    name = "mine-1.5-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "mine"
version = "1.5"
"""


class Bundles:
    """Bundles of a project with a package in `libs/mine`, by digest."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.paths: dict[str, Path] = {}

    def of(self, code: str, *, other: str = "", backend: str = BACKEND) -> EnvironmentSpec:
        place = self.site.place / "project"
        package = place / "libs" / "mine"
        package.mkdir(parents=True, exist_ok=True)
        (package / "pyproject.toml").write_text(PROJECT)
        (package / "backend.py").write_text(backend)
        (package / "mine.py").write_text(code)
        (place / "train.py").write_text(other)
        archive = self.site.place / f"bundle-{len(self.paths)}.tar.gz"
        bundle = pack(place, archive=archive)
        self.paths[bundle.digest] = bundle.path
        digest = package_digest(bundle.path, "libs/mine")
        local = LocalPackage(path="libs/mine", bundle=bundle.digest, digest=digest)
        return replace(wanting("alpha"), packages=(local,))

    def build(self, spec: EnvironmentSpec) -> Built:
        builder = EnvironmentBuilder(
            self.site.root,
            cache=self.site.cache,
            environ=self.site.environ,
            artifact=self.paths.__getitem__,
        )
        return asyncio.run(builder.build(environment_id("acme", spec), spec, self.site.hear))


def test_a_local_package_is_installed_with_what_it_requires_and_is_in_the_lock(site: Site) -> None:
    bundles = Bundles(site)
    spec = bundles.of("SAYS = 'one'")
    built = bundles.build(spec)
    assert output_of(built, "import mine, alpha, beta; print(mine.SAYS, beta.VERSION)") == "one 1.0"
    assert Pin(name="mine", version="1.5") in pins(built.lock)
    assert f"mine==1.5  # libs/mine {spec.packages[0].digest}" in built.lock
    assert str(site.place) not in built.lock
    assert ("building", "libs/mine") in site.stages


def test_only_a_changed_package_is_another_environment(site: Site) -> None:
    bundles = Bundles(site)
    first = bundles.of("SAYS = 'one'")
    same = bundles.of("SAYS = 'one'", other="print('the job changed')")
    changed = bundles.of("SAYS = 'two'")
    assert first.packages[0].bundle != same.packages[0].bundle
    assert environment_id("acme", first) == environment_id("acme", same)
    assert environment_id("acme", first) != environment_id("acme", changed)
    one, two = bundles.build(first), bundles.build(changed)
    assert output_of(one, "import mine; print(mine.SAYS)") == "one"
    assert output_of(two, "import mine; print(mine.SAYS)") == "two"
    modules = [next(each.path.glob("lib/python*/site-packages/alpha.py")) for each in (one, two)]
    assert modules[0].stat().st_ino == modules[1].stat().st_ino  # all else comes from the cache


def test_a_package_that_cannot_be_built_says_why_and_leaves_nothing(site: Site) -> None:
    bundles = Bundles(site)
    spec = bundles.of("", backend="raise RuntimeError('no compiler here')")
    with pytest.raises(BuildFailedError, match="no compiler here"):
        bundles.build(spec)
    assert site.left() == []


def test_a_lock_can_have_local_packages_beside_it(site: Site) -> None:
    bundles = Bundles(site)
    spec = replace(bundles.of("SAYS = 'one'"), requirements=(), lock="beta==0.5\n")
    built = bundles.build(spec)
    assert output_of(built, "import mine, beta; print(mine.SAYS, beta.VERSION)") == "one 0.5"
