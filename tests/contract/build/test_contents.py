"""Built environments, byte by byte."""

import asyncio

import pytest

from gigawatt.build.contents import check_contents, own_bytes
from gigawatt.build.environments import Built, environment_id
from tests.contract.build.conftest import Site, wanting

pytestmark = pytest.mark.slow


def build(site: Site, tenant: str = "acme") -> Built:
    spec = wanting("alpha")
    return asyncio.run(site.builder().build(environment_id(tenant, spec), spec))


def test_equal_packages_have_equal_digests_wherever_they_are(site: Site) -> None:
    first, second = build(site), build(site, "other")
    assert first.digest.startswith("sha256:")
    assert (first.digest, first.path) != (second.digest, second.path)
    assert first.digest == second.digest


def test_an_environment_as_it_was_built_is_whole(site: Site) -> None:
    built = build(site)
    checked = check_contents(built.path, built.digest)
    assert (checked.faults, checked.files >= 6) == ((), True)


def test_a_changed_a_missing_and_a_foreign_file_are_found(site: Site) -> None:
    built = build(site)
    (module,) = built.path.glob("lib/python*/site-packages/alpha.py")
    module.unlink()  # it is a link into the cache
    module.write_text("VERSION = 'evil'")
    (built.path / "bin" / "beta").unlink()
    faults = check_contents(built.path, built.digest).faults
    assert faults == (
        f"{module.relative_to(built.path)} has changed",
        "bin/beta is missing",
    )


def test_a_record_that_was_changed_with_its_file_is_found(site: Site) -> None:
    built = build(site)
    (record,) = built.path.glob("lib/python*/site-packages/alpha-*/RECORD")
    record.write_text("")
    (fault,) = check_contents(built.path, built.digest).faults
    assert fault == "the list of installed files is not the one that was built"


def test_what_the_cache_shares_is_not_freed_by_a_removal(site: Site) -> None:
    built = build(site)
    (module,) = built.path.glob("lib/python*/site-packages/alpha.py")
    before = own_bytes(built.path)
    (built.path / "own").write_bytes(b"x" * 8192)
    assert module.stat().st_nlink > 1
    assert own_bytes(built.path) == before + 8192
