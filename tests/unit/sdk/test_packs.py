"""Small files of a tree in packs: every wanted one is in exactly one, none is over its limits."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.sdk.artifacts import TreeFile
from gigawatt.sdk.packs import PACK_BYTES, PACK_FILES, PACKED_BYTES, Pack, packs_of


def files_of(sizes: list[int]) -> list[TreeFile]:
    return [
        TreeFile(path=f"{number:05}", size=size, sha256="0" * 64, executable=False)
        for number, size in enumerate(sizes)
    ]


@given(
    st.lists(
        st.sampled_from([0, 1, PACKED_BYTES // 2, PACKED_BYTES - 1, PACKED_BYTES]), max_size=60
    ),
    st.sets(st.integers(0, 60)),
)
def test_every_small_file_that_is_wanted_is_in_one_pack(sizes: list[int], left: set[int]) -> None:
    files = files_of(sizes)
    packs = packs_of(files, lambda file: int(file.path) not in left)
    packed = [file for pack in packs for file in pack.files]
    assert packed == [
        file for file in files if file.size < PACKED_BYTES and int(file.path) not in left
    ]
    for pack in packs:
        assert tuple(files[pack.start : pack.stop]) == pack.files
        assert pack.size <= PACK_BYTES


def test_a_pack_has_no_more_files_than_are_allowed() -> None:
    files = files_of([1] * (2 * PACK_FILES + 1))
    assert [(each.start, each.stop) for each in packs_of(files, lambda _: True)] == [
        (0, PACK_FILES),
        (PACK_FILES, 2 * PACK_FILES),
        (2 * PACK_FILES, 2 * PACK_FILES + 1),
    ]


def test_nothing_wanted_is_no_pack() -> None:
    assert packs_of(files_of([1, 2]), lambda _: False) == []
    assert packs_of([], lambda _: True) == []
    assert Pack(start=3, files=()).stop == 3
