"""Pruning where artifacts are kept elsewhere: what retention lets go is gone there too, and what is needed is not."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gigawatt.build.making import remove_tree
from gigawatt.build.remote import Remote, SharedDirectory
from gigawatt.build.s3 import S3, Pace
from gigawatt.build.s3_client import connect, parse_place
from gigawatt.build.trees import TreeFile, encode_manifest, manifest_of
from tests.s3_server import BUCKET, PART_BYTES_MIN, Wire, running_s3, wire_to
from tests.surface.api.site import Site, running_site
from tests.surface.api.test_builds import digest_of

pytestmark = pytest.mark.slow

LOOSE = [b"old %d " % number * 50 for number in range(6)]
WEIGHTS = b"weights of a model that is registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Where a site's artifacts are, with the wire that leads there, and its data directory."""

    remote: Remote
    wire: Wire | None
    data: Path

    def there(self) -> set[str]:
        return {f"sha256:{each.hex_digits}" for each in self.remote.listed()}

    def here(self) -> set[str]:
        return {f"sha256:{each.name}" for each in (self.data / "artifacts").glob("sha256/??/*")}

    def clear_cache(self) -> None:
        remove_tree(self.data / "artifacts" / "sha256")


@contextmanager
def a_place(kind: str, tmp_path: Path) -> Generator[Elsewhere]:
    data = tmp_path / "site"
    data.mkdir()
    with ExitStack() as stack:
        wire: Wire | None = None
        remote: Remote = SharedDirectory(tmp_path / "shared")
        if kind == "s3":
            server = stack.enter_context(running_s3())
            wire = stack.enter_context(wire_to(server))
            place = parse_place(f"s3://{BUCKET}/p?endpoint={wire.endpoint}")
            keys = server.credentials(tmp_path / "keys")
            client = stack.enter_context(closing(connect(place, str(keys), tries=1)))
            pace = Pace(part_bytes=PART_BYTES_MIN)
            remote = S3(place, client, state=tmp_path / "state", pace=pace)
        remote.check()
        yield Elsewhere(remote=remote, wire=wire, data=data)


def play(
    kind: str, tmp_path: Path, scenario: Callable[[Site, Elsewhere], Awaitable[object]]
) -> None:
    async def run(place: Elsewhere) -> None:
        async with running_site(place.data, remote=place.remote) as site:
            site.services.grace_ms = 0
            await scenario(site, place)

    with a_place(kind, tmp_path) as place:
        asyncio.run(run(place))


async def store(site: Site, data: bytes, *, kind: str = "file") -> str:
    digest = digest_of(data)
    response = await site.call("PUT", f"/v1/artifacts/{digest}?kind={kind}", data)
    assert response.status_code == 201, response.text
    return digest


async def registered(site: Site, data: bytes = WEIGHTS) -> set[str]:
    """Digests of what a model needs, which is registered."""
    weights = await store(site, data)
    file = TreeFile(
        path="w", size=len(data), sha256=weights.removeprefix("sha256:"), executable=False
    )
    tree = await store(site, encode_manifest(manifest_of([file])), kind="tree")
    made = await site.call("POST", "/v1/models", {"name": "m", "digest": tree})
    assert made.status_code == 201, made.text
    return {weights, tree}


async def pruned(site: Site, *, dry: bool = False) -> dict[str, Any]:
    body = {"kinds": ["artifacts", "contents"], "older_than": "0s"}
    response = await site.call("POST", f"/v1/prune?dry_run={str(dry).lower()}", body)
    assert response.status_code == 200, response.text
    return response.json()


def went(view: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["kind"], each["id"]) for each in view["go"]]


def contents(view: dict[str, Any]) -> set[str]:
    return {each["id"] for each in view["go"] if each["kind"] == "contents"}


@pytest.mark.parametrize("kind", ["s3", "directory"])
def test_what_retention_lets_go_is_gone_there_and_what_is_needed_is_not(
    kind: str, tmp_path: Path
) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        needed = await registered(site)
        loose = {await store(site, data) for data in LOOSE}
        assert place.there() == needed | loose
        would = await pruned(site, dry=True)
        assert contents(would) == loose
        assert place.there() == needed | loose
        done = await pruned(site)
        assert (went(done), done["errors"]) == (went(would), [])
        assert (place.there(), place.here()) == (needed, needed)
        assert contents(await pruned(site)) == set()
        assert (await store(site, LOOSE[0])) in place.there()

    play(kind, tmp_path, scenario)


@pytest.mark.parametrize("kind", ["s3", "directory"])
def test_what_is_not_cached_goes_too_and_a_manifest_that_is_not_keeps_its_files(
    kind: str, tmp_path: Path
) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        needed = await registered(site)
        loose = {await store(site, data) for data in LOOSE}
        place.clear_cache()
        assert contents(await pruned(site, dry=True)) == loose
        done = await pruned(site)
        assert (contents(done), done["errors"]) == (loose, [])
        assert place.there() == needed

    play(kind, tmp_path, scenario)


def test_s3_that_fails_in_the_middle_leaves_what_the_next_prune_finishes(tmp_path: Path) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        wire = place.wire
        assert wire is not None
        needed = await registered(site)
        loose = {await store(site, data) for data in LOOSE}

        def seen(wire: Wire) -> None:
            if len(place.here()) <= len(needed) + 3:  # as the third of six is being removed
                wire.cut()

        wire.seen = seen
        done = await pruned(site)
        went = contents(done)
        assert 0 < len(went) < len(loose)
        assert "cannot be reached" in done["errors"][0]
        wire.mend()
        assert needed <= place.there()
        assert went.isdisjoint(place.there())  # what is said to be gone is
        assert place.here() <= place.there()  # what is cached here is there
        again = await pruned(site)
        assert (contents(again) | went, again["errors"]) == (loose, [])
        assert (place.there(), place.here()) == (needed, needed)

    play("s3", tmp_path, scenario)


def test_where_s3_is_down_no_contents_go_and_it_is_said(tmp_path: Path) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        assert place.wire is not None
        loose = {await store(site, data) for data in LOOSE}
        place.wire.cut()
        for dry in (True, False):
            view = await pruned(site, dry=dry)
            assert contents(view) == set()
            assert "cannot be reached" in view["errors"][0]
        place.wire.mend()
        assert place.there() == place.here() == loose
        assert contents(await pruned(site)) == loose

    play("s3", tmp_path, scenario)


def test_a_manifest_that_cannot_be_read_keeps_all_contents(tmp_path: Path) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        needed = await registered(site)
        loose = {await store(site, data) for data in LOOSE}
        place.clear_cache()
        model = (await site.view("/v1/models/m"))["versions"][0]["digest"]
        place.remote.remove(model.removeprefix("sha256:"))  # somebody else's doing
        view = await pruned(site)
        assert contents(view) == set()
        assert f"the files of {model} cannot be told" in view["errors"][0]
        assert place.there() == (needed | loose) - {model}

    play("directory", tmp_path, scenario)


def test_what_somebody_asks_for_while_it_is_to_go_stays(tmp_path: Path) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        digest = await store(site, LOOSE[0])
        place.clear_cache()
        store_ = site.services.artifacts
        planned_ms = max(each.modified_ms for each in place.remote.listed()) + 1
        assert await asyncio.to_thread(store_.use, digest)  # it is only there, and counts as used
        gone = await asyncio.to_thread(
            store_.remove, digest, aside=tmp_path / "aside", unused_since_ms=planned_ms
        )
        assert (gone, place.there()) == (False, {digest})

    play("directory", tmp_path, scenario)


def test_in_a_place_of_another_instance_only_the_cache_is_freed(tmp_path: Path) -> None:
    async def scenario(site: Site, place: Elsewhere) -> None:
        place.remote.own("another")
        loose = {await store(site, data) for data in LOOSE}
        assert contents(await pruned(site)) == loose
        assert (place.there(), place.here()) == (loose, set())
        assert contents(await pruned(site)) == set()

    play("directory", tmp_path, scenario)
