"""A file of another system, converted and run for real."""

import json
from pathlib import Path

import pytest
from benchmarks.instance import Instance

pytestmark = pytest.mark.slow

FEW = ("--cpus", "0.2")  # of a machine that may have less than a core for each virtual node
SBATCH = """\
#!/bin/bash
#SBATCH --job-name=Hello_World
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --time=0:05:00
#SBATCH --partition=debug
#SBATCH --export=GREETING=hello

export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --label \\
  python3 say.py "$GREETING" \\
    $SLURM_PROCID $SLURM_NTASKS $SLURM_NNODES
"""
SAY = """\
import os, sys
assert os.environ["MASTER_ADDR"]
print(*sys.argv[1:], os.environ["RANK"])
"""
TASK = """\
type: task
name: hello-dstack
nodes: 2
repos: [.]
commands:
  - export WORD=from
  - echo hello $WORD $DSTACK_NODE_RANK/$DSTACK_NODES_NUM
"""


def test_a_batch_script_runs_as_a_gang_of_its_tasks(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "say.py").write_text(SAY)
    (tmp_path / "hello.sbatch").write_text(SBATCH)
    job = tmp_path / "job.yaml"
    instance.gw("import", "sbatch", str(tmp_path / "hello.sbatch"), "--output", str(job))
    view = json.loads(instance.gw("run", str(job), *FEW, "--wait", "-o", "json"))
    assert (view["phase"], view["name"]) == ("succeeded", "hello-world")
    said = [instance.gw("logs", view["id"], "--rank", str(rank)) for rank in range(4)]
    assert said == [f"hello {rank} 4 2 {rank}\n" for rank in range(4)]


def test_a_dstack_task_runs_once_on_each_node(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "hello.dstack.yml").write_text(TASK)
    job = tmp_path / "job.yaml"
    instance.gw("import", "dstack", str(tmp_path / "hello.dstack.yml"), "--output", str(job))
    view = json.loads(instance.gw("run", str(job), *FEW, "--wait", "-o", "json"))
    said = [instance.gw("logs", view["id"], "--rank", str(rank)) for rank in range(2)]
    assert said == ["hello from 0/2\n", "hello from 1/2\n"]
