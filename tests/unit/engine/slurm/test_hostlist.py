"""Host lists: Slurm's short way to write many names."""

import pytest

from gigawatt.engine.slurm.hostlist import NAMES_MAX, expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("n1", ("n1",)),
        ("n[1-3]", ("n1", "n2", "n3")),
        ("n[1,3],gpu-a", ("n1", "n3", "gpu-a")),
        ("n[08-11]", ("n08", "n09", "n10", "n11")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("n[1-2]-ib", ("n1-ib", "n2-ib")),
    ],
)
def test_a_list_names_each_in_the_order_written(text: str, names: tuple[str, ...]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize("text", ["n[1-2", "n1]", f"n[1-{NAMES_MAX + 2}]", "n[a-b]"])
def test_what_is_no_host_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        expand(text)
