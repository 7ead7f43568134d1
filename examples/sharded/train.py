"""Train a model whose state is spread over the ranks, saving it in shards in the background.

Every rank holds a part of each parameter (FSDP). `dcp.async_save` copies the parts and writes them while training goes
on; the checkpoint is reported once its last byte is written, by rank 0 alone, whose future is done when all ranks'
are. A checkpoint that was being written when a rank died was never reported, so nobody resumes from it. `dcp.load`
takes the shards apart anew: any number of ranks can go on from what any other number wrote.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import gigawatt as gw

WIDTH = 96
BATCH = 12  # of all ranks together: 1, 2, 3, 4 and 6 ranks share it evenly


@dataclass
class Saving:
    """A checkpoint on its way to the disk."""

    step: int
    loss: float
    path: Path
    future: Any


def main() -> None:
    """Train to `--steps`, from the checkpoint that gigawatt names, if it names one."""
    asked = arguments()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    saving_group = dist.new_group(backend="gloo")  # its own: training's collectives go on meanwhile
    rank, world = dist.get_rank(), dist.get_world_size()
    model, optimizer = build(world)
    step = resume(model, optimizer)
    say(f"{world} ranks, from step {step}: loss {evaluate(model):.6f}")
    saving: Saving | None = None
    while step < asked.steps:
        step += 1
        train(model, optimizer, step, rank, world)
        time.sleep(asked.pause)
        gw.report(step=step, loss=evaluate(model))
        saving = saved(saving, wait=False)
        if step % asked.every == 0:
            saved(saving, wait=True)  # one at a time
            saving = save(model, optimizer, step, saving_group)
    saved(saving, wait=True)
    say(f"done at step {step}: loss {evaluate(model):.6f}")
    dist.barrier()
    dist.destroy_process_group()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", type=int, default=10, help="steps between checkpoints")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds to wait in each step")
    return parser.parse_args()


def build(world: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The model with its parameters spread over the ranks, the same for any number of them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))
    fully_shard(model, mesh=init_device_mesh("cpu", (world,)))
    return model, torch.optim.AdamW(model.parameters(), lr=3e-3)


def resume(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load what gigawatt says is the newest valid checkpoint; the step that it is of."""
    path = gw.resume_path()
    if path is None:
        return 0
    weights, moments = get_state_dict(model, optimizer)
    state: dict[str, Any] = {"model": weights, "optimizer": moments, "step": 0}
    dcp.load(state, checkpoint_id=path)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
    return int(state["step"])


def save(model: nn.Module, optimizer: torch.optim.Optimizer, step: int, group: Any) -> Saving:
    """Begin to write a checkpoint; training can go on when this returns."""
    weights, moments = get_state_dict(model, optimizer)
    state = {"model": weights, "optimizer": moments, "step": step}
    path = (gw.checkpoint_dir() or Path("checkpoints")) / f"step-{step:06d}"
    future = dcp.async_save(state, checkpoint_id=path, process_group=group)
    return Saving(step=step, loss=evaluate(model), path=path, future=future)


def saved(saving: Saving | None, *, wait: bool) -> Saving | None:
    """Report a checkpoint once it is whole; what is still being written otherwise."""
    if saving is None or not (wait or saving.future.done()):
        return saving
    saving.future.result()
    if dist.get_rank() == 0:
        gw.checkpoint(step=saving.step, path=saving.path, loss=saving.loss)
        say(f"saved step {saving.step}")
    return None


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, step: int, rank: int, world: int
) -> None:
    """One step on this rank's part of the batch, which follows from the step alone."""
    inputs, targets = examples(step, BATCH)
    mine = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    loss = nn.functional.mse_loss(model(inputs[mine]), targets[mine])
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


@torch.no_grad()
def evaluate(model: nn.Module) -> float:
    """The loss on examples that are never trained on; every rank has to take part."""
    inputs, targets = examples(-1, 64)
    return float(nn.functional.mse_loss(model(inputs), targets))


def examples(step: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(step + 1_000)
    inputs = torch.randn(count, 8, generator=chance)
    return inputs, torch.sin(2 * inputs[:, :1])


def say(text: str) -> None:
    if os.environ.get("RANK", "0") == "0":
        print(text, flush=True)


if __name__ == "__main__":
    main()
