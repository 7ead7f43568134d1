"""What is asked of Slurm for a launch."""

import pytest

from gigawatt.engine.slurm.batch import Batch, Share, script, share_of
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import Launch, Placement
from gigawatt.model.resources import Resources

COMMAND = ("python", "-I", "a b.py")


def a_launch(*placements: Placement, milli_gpu: int = 0, milli_cpu: int = 500) -> Launch:
    return Launch(
        gang="g",
        attempt=1,
        kind=GangKind.JOB,
        name="x",
        tenant="t",
        project="p",
        command=("true",),
        env=(),
        placements=placements,
        per_rank=Resources(milli_gpu=milli_gpu, milli_cpu=milli_cpu, memory_bytes=(3 << 20) + 1),
    )


def test_a_launch_takes_whole_cores_and_memory_of_its_fullest_node() -> None:
    placements = [
        Placement(rank=0, node="n1", local_rank=0, gpus=("n1/gpu0",)),
        Placement(rank=1, node="n1", local_rank=1, gpus=("n1/gpu1",)),
        Placement(rank=2, node="n2", local_rank=0, gpus=("n2/gpu0",)),
    ]
    share = share_of(a_launch(*placements, milli_gpu=1000, milli_cpu=700))
    assert share == Share(cpus=2, memory_mib=7, gpus=2)


def test_a_share_of_a_gpu_is_refused() -> None:
    one = Placement(rank=0, node="n1", local_rank=0, gpus=("n1/gpu0",))
    two = Placement(rank=1, node="n1", local_rank=1, gpus=("n1/gpu0",))
    with pytest.raises(ValueError, match="whole GPUs"):
        share_of(a_launch(one, milli_gpu=500))
    with pytest.raises(ValueError, match="whole GPUs"):
        share_of(a_launch(one, two, milli_gpu=1000))


def test_sbatch_is_told_our_nodes_and_not_to_requeue() -> None:
    batch = Batch(
        name="gw-x",
        nodes=("n3", "n1"),
        cpus=4,
        memory_mib=0,
        gpu_kind="h100",
        gpus=8,
        script="",
        output="/shared/out",
        options=("--account=ai",),
    )
    words = batch.arguments()
    assert {"--nodelist=n3,n1", "--no-requeue", "--gres=gpu:h100:8", "--nodes=2"} <= set(words)
    assert words[-1] == "--account=ai"
    assert not any(word.startswith("--mem") for word in words)


def test_several_nodes_need_srun_and_one_does_not() -> None:
    assert script(COMMAND, nodes=1, cpus=1) == "#!/bin/sh\nexec python -I 'a b.py'\n"
    assert "srun --nodes=2 --ntasks=2 --cpus-per-task=3" in script(COMMAND, nodes=2, cpus=3)
