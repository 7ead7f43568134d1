"""Trees of data on nodes: laid out once, kept while they fit, never taken from a gang that uses them."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gigawatt.engine.local.datasets import Datasets, Tree
from gigawatt.model.refusal import RefusalCode, RefusalError

HEX = {name: name * 64 for name in "abcdef"}


def tree(name: str, size: int = 10, node: str = "n0") -> Tree:
    return Tree(node=node, digest=f"sha256:{HEX[name]}", size_bytes=size)


class Lay:
    """Lays out as the store does: whole, once. Counts, and fails as it is told."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.full = 0
        self._lock = threading.Lock()

    def __call__(self, digest: str, target: Path) -> Path:
        with self._lock:
            if self.full:
                self.full -= 1
                raise RefusalError(RefusalCode.DISK_FULL, "no room")
            if not target.exists():
                self.made.append(digest[7:8])
                target.mkdir(parents=True)
                (target / "file").write_text(digest)
                (target / "file").chmod(0o444)
                target.chmod(0o555)
        return target


def fetch(datasets: Datasets, *trees: Tree) -> list[Path]:
    async def all_of_them() -> list[Path]:
        with datasets.wanted(trees):
            return list(await asyncio.gather(*(datasets.fetch(each) for each in trees)))

    return asyncio.run(all_of_them())


def kept(datasets: Datasets, node: str = "n0") -> str:
    return "".join(digest[7:8] for digest in datasets.kept(node))


def used_at(data: Path, name: str, at_s: int) -> None:
    os.utime(data / "nodes" / "n0" / "data" / f"{HEX[name]}.size", (at_s, at_s))


def live_gang(data: Path, key: str, place: Path) -> Callable[[], None]:
    """A gang on the node that uses the tree, as its journal says; what is returned releases it."""
    node = data / "nodes" / "n0"
    (node / "live").mkdir(parents=True, exist_ok=True)
    (node / "live" / key).touch()
    journal = node / "attempts" / key / "journal"
    journal.parent.mkdir(parents=True)
    opening = {"kind": "going", "spec": {"key": key, "volumes": [{"source": str(place)}]}}
    journal.write_text(json.dumps(opening) + "\n")
    return (node / "live" / key).unlink


def test_trees_laid_out_and_evicted_by_many_at_once_are_counted_whole(tmp_path: Path) -> None:
    gone: set[str] = set()
    datasets = Datasets(tmp_path, Lay(), stored=lambda digest: digest not in gone)
    for _ in range(50):
        gone.clear()
        fetch(datasets, *(tree(name) for name in HEX for _ in range(3)))
        assert kept(datasets) == "".join(HEX)
        gone.update(tree(name).digest for name in HEX)
        datasets.sweep()
        assert not kept(datasets)


def test_twenty_ranks_that_ask_at_once_have_one_tree_laid_out(tmp_path: Path) -> None:
    lay = Lay()
    datasets = Datasets(tmp_path, lay)
    places = fetch(datasets, *[tree("a")] * 20)
    assert len(set(places)) == 1
    assert lay.made == ["a"]
    fetch(datasets, tree("a"), tree("a", node="n1"), tree("b"))
    assert sorted(lay.made) == ["a", "a", "b"]
    assert (kept(datasets), kept(datasets, "n1")) == ("ab", "a")


def test_the_longest_unused_goes_first_and_only_until_there_is_room(tmp_path: Path) -> None:
    datasets = Datasets(tmp_path, Lay(), bytes_max=30)
    fetch(datasets, tree("a"), tree("b"), tree("c"))
    for at_s, name in enumerate("bca"):
        used_at(tmp_path, name, 1_000 + at_s)
    fetch(datasets, tree("d"))
    assert kept(datasets) == "acd"
    fetch(datasets, tree("e", size=15))
    assert kept(datasets) == "de"


def test_what_a_live_gang_uses_stays_whatever_is_needed(tmp_path: Path) -> None:
    datasets = Datasets(tmp_path, Lay(), bytes_max=10)
    (place,) = fetch(datasets, tree("a"))
    release = live_gang(tmp_path, "job-1.1", place)
    fetch(datasets, tree("b", size=20))
    assert kept(datasets) == "ab"
    assert (place / "file").read_text()
    release()
    fetch(datasets, tree("c"))
    assert kept(datasets) == "c"


def test_what_is_wanted_right_now_stays(tmp_path: Path) -> None:
    datasets = Datasets(tmp_path, Lay(), bytes_max=10)
    (place,) = fetch(datasets, tree("a"))
    with datasets.wanted([tree("a")]):
        fetch(datasets, tree("b"))
        assert place.exists()
    fetch(datasets, tree("c"))
    assert not place.exists()


def test_what_the_store_does_not_have_any_more_goes_when_nobody_uses_it(tmp_path: Path) -> None:
    stored = {tree(name).digest for name in "abc"}
    datasets = Datasets(tmp_path, Lay(), stored=stored.__contains__)
    _, used = fetch(datasets, tree("a"), tree("b"))
    release = live_gang(tmp_path, "job-1.1", used)
    stored.clear()
    fetch(datasets, tree("c"))
    assert kept(datasets) == "bc"
    release()
    datasets.sweep()
    assert kept(datasets) == ""


def test_a_store_that_cannot_be_asked_costs_no_tree(tmp_path: Path) -> None:
    def unavailable(_: str) -> bool:
        raise RefusalError(RefusalCode.UNAVAILABLE, "no answer")

    datasets = Datasets(tmp_path, Lay(), stored=unavailable)
    fetch(datasets, tree("a"))
    fetch(datasets, tree("b"))
    assert kept(datasets) == "ab"


def test_a_full_disk_is_answered_with_what_nobody_uses(tmp_path: Path) -> None:
    lay = Lay()
    datasets = Datasets(tmp_path, lay)
    fetch(datasets, tree("a"))
    lay.full = 1
    fetch(datasets, tree("b"))
    assert kept(datasets) == "b"
    lay.full = 2
    with pytest.raises(RefusalError) as refused:
        fetch(datasets, tree("c"))
    assert refused.value.code is RefusalCode.DISK_FULL


def test_what_a_kill_left_half_done_is_made_good(tmp_path: Path) -> None:
    lay = Lay()
    datasets = Datasets(tmp_path, lay)
    (place,) = fetch(datasets, tree("a"))
    place.with_name(f"{place.name}.size").unlink()
    place.with_name(f"{HEX['b']}.gone").mkdir()
    again = Datasets(tmp_path, lay)
    again.sweep()
    assert not place.with_name(f"{HEX['b']}.gone").exists()
    assert kept(again) == ""
    assert fetch(again, tree("a")) == [place]
    assert (lay.made, kept(again)) == (["a"], "a")
