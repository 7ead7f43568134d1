"""The same stacks together."""

from gigawatt.service.stack_groups import StackGroup, grouped


def stack(pid: int, function: str, *, rank: int = 0) -> str:
    return (
        f"Process {pid}: python train.py --rank {rank}\n"
        f'Thread {pid} (idle): "MainThread"\n    {function} (train.py:12)\n'
        f"Thread 0x{pid:x} (most recent call first):\n"
    )


def test_ranks_that_do_the_same_are_together_and_the_odd_one_is_last() -> None:
    texts = {rank: stack(100 + rank, "all_reduce", rank=rank) for rank in range(4)}
    texts[1] = stack(101, "load_batch", rank=1)
    assert grouped(texts) == (
        StackGroup(ranks=(0, 2, 3), text=texts[0]),
        StackGroup(ranks=(1,), text=texts[1]),
    )


def test_lines_of_the_program_make_a_difference() -> None:
    texts = {0: stack(7, "step"), 1: stack(8, "step").replace("train.py:12", "train.py:13")}
    assert [group.ranks for group in grouped(texts)] == [(0,), (1,)]


def test_nothing_has_no_groups() -> None:
    assert grouped({}) == ()
