"""Scripts that start their ranks themselves: what is changed, and what is told and left."""

import textwrap

import pytest

from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.launch import Plan, Understood, understand
from gigawatt.spec.foreign.sbatch import DIALECT


def read(script: str, *, ranks_per_node: int = 4) -> tuple[Understood, list[str]]:
    findings = Findings("job.sh")
    plan = Plan(nodes=2, ranks_per_node=ranks_per_node, gpus=4)
    understood = understand(textwrap.dedent(script), plan, DIALECT, findings)
    return understood, [note.detail for note in findings.notes]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("srun python train.py", "python train.py"),
        ("srun -N 2 -n8 --label python train.py", "python train.py"),
        ("srun --ntasks=$SLURM_NTASKS -c 4 ./train --x='a b'", "./train --x='a b'"),
        ("OMP_NUM_THREADS=4 srun -l python t.py", "OMP_NUM_THREADS=4 python t.py"),
        ("exec srun python t.py 2>&1 | tee log", "exec python t.py 2>&1 | tee log"),
        ('cd code && srun python t.py "$@"; echo done', 'cd code && python t.py "$@"; echo done'),
        ("srun python -c 'print(1); print(2)'", "python -c 'print(1); print(2)'"),
    ],
)
def test_a_srun_of_the_jobs_own_shape_becomes_its_command(line: str, command: str) -> None:
    understood, told = read(line)
    assert understood.script.rstrip("\n") == command
    assert (understood.ranks_per_node, understood.by_srun, told) == (4, True, [])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("srun -n 1 python prepare.py", "it is for 1 ranks, and the job has 8"),
        ("srun -N1 python prepare.py", "it is for 1 nodes, and the job has 2"),
        ("srun -n $COUNT python x.py", "how many ranks '$COUNT' is, is not known here"),
        ("srun -w node1 python x.py", "--nodelist gives it another shape than the job's"),
        ("srun python x.py &", "it runs in the background, beside others"),
        ("srun", "it names no program"),
        ("srun torchrun --nproc_per_node=$N x.py", "how many processes '$N' is, is not known here"),
    ],
)
def test_a_srun_of_another_shape_stays_and_is_told(line: str, why: str) -> None:
    understood, told = read(line)
    assert understood.script == line + "\n"
    assert (understood.launched, told) == (False, [f"srun stays as it is: {why}"])


@pytest.mark.parametrize(
    ("line", "command", "ranks"),
    [
        ("torchrun --nproc-per-node=8 train.py --a", "python train.py --a", 8),
        ("torchrun --nproc_per_node gpu -m pkg.train", "python -m pkg.train", 4),
        ("torchrun --standalone --nproc_per_node=2 --no-python ./run", "./run", 2),
        ("python3 -m torch.distributed.run --nnodes 2 --nproc_per_node 4 t.py", "python3 t.py", 4),
        ("srun torchrun --nnodes=$SLURM_NNODES --nproc_per_node=4 t.py", "python t.py", 4),
        ("torchrun train.py", "python train.py", 1),
    ],
)
def test_a_torchrun_becomes_python_and_ranks(line: str, command: str, ranks: int) -> None:
    understood, told = read(line, ranks_per_node=1)
    assert (understood.script, understood.ranks_per_node) == (command + "\n", ranks)
    assert told == []


def test_a_torchrun_that_restarts_becomes_retries() -> None:
    understood, _ = read("torchrun --max_restarts=3 --nproc_per_node=4 t.py")
    assert understood.fields({"nodes": 2}) == {
        "gang": {"nodes": 2, "ranks_per_node": 4},
        "retries": {"user": 3},
    }


def test_under_torchrun_slurms_tasks_are_nodes() -> None:
    understood, _ = read("srun torchrun --nproc_per_node=4 t.py $SLURM_PROCID", ranks_per_node=1)
    assert 'export SLURM_PROCID="$NODE_RANK"' in understood.script


def test_other_launchers_a_second_launch_and_unknown_variables_are_told() -> None:
    _, told = read("mpirun -n 8 ./solve\nsrun python a.py\nsrun python b.py $SLURM_ARRAY_TASK_ID\n")
    assert set(told) == {
        "mpirun is not read and stays as it is",
        "ran once and runs on each of 8 ranks now: line 1",
        "the script uses SLURM_ARRAY_TASK_ID, which nothing sets here",
        "a second launch: no rank waits for the others before it",
    }


def test_a_use_of_what_is_not_found_any_more_is_told() -> None:
    understood, told = read(
        """\
        HOSTS=$(scontrol show hostnames $SLURM_JOB_NODELIST)
        FIRST=$(echo $HOSTS | head -n1)
        python serve.py --host $FIRST
        srun python train.py
        """
    )
    assert "HOSTS" not in understood.script
    assert "uses $FIRST, which is not set any more" in told


def test_continued_lines_quotes_and_indentation_of_a_command_stay() -> None:
    understood, _ = read(
        """\
        for seed in 1 2; do
          srun -l \\
            python -c "print('a    b', \\"$X\\")" \\
            --seed $seed
        done
        """
    )
    assert understood.script.splitlines() == [
        "for seed in 1 2; do",
        """  python -c "print('a    b', \\"$X\\")" \\""",
        "    --seed $seed",
        "done",
    ]
