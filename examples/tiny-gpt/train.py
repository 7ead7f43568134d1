"""Train a small GPT on the Python standard library's source: DistributedDataParallel over gloo.

Runs as it is under gigawatt (`gw run job.yaml`), under `torchrun --nproc-per-node 2 train.py`, and as a single process.
It resumes from the newest checkpoint that is whole, and goes on as if it had never been stopped: what a rank sees in
a step follows from the seed, the step and the rank alone.
"""

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from zipfile import BadZipFile, ZipFile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # ranks share cores; threads would spin on them

import corpus
import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from corpus import Corpus
from gpt import GPT, Config
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

try:
    import gigawatt as gw
except ImportError:  # under plain torchrun: reports go nowhere
    gw = SimpleNamespace(report=lambda **_: None, checkpoint=lambda **_: None)

KEEP = 3  # checkpoints; older ones are removed
VALIDATION_WINDOWS = 32


def main() -> None:
    """Parse, join the other ranks, train, export."""
    options = parse(sys.argv[1:])
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    rank = dist.get_rank() if dist.is_initialized() else 0
    torch.manual_seed(options.seed)
    text = corpus.load(vocabulary=options.vocabulary)
    config = Config(
        vocabulary=text.tokenizer.size,
        context=options.context,
        width=options.width,
        layers=options.layers,
        heads=options.heads,
    )
    model = GPT(config)
    if rank == 0:
        size = sum(p.numel() for p in model.parameters())
        say(f"{size / 1e6:.2f}M parameters, {len(text.train) / 1e6:.2f}M tokens to train on")
    train(model, text, options)
    if rank == 0:
        export(model, text, options)
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def parse(argv: list[str]) -> argparse.Namespace:
    """The options, each with a default that suits two busy cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=8, help="sequences a step, on each rank")
    parser.add_argument("--checkpoint-every", type=int, default=50, help="steps")
    parser.add_argument("--validate-every", type=int, default=50, help="steps")
    parser.add_argument("--checkpoint-dir", type=Path, default=default_directory())
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument("--warmup", type=int, default=20, help="steps")
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def default_directory() -> Path:
    """Where gigawatt wants checkpoints, so that they follow the job; else a folder here."""
    return Path(os.environ.get("GIGAWATT_CHECKPOINT_DIR", "checkpoints"))


def train(model: GPT, text: Corpus, options: argparse.Namespace) -> None:
    """All steps that are left, with a checkpoint and a validation every so many."""
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, betas=(0.9, 0.95), weight_decay=0.1
    )
    done = resume(model, optimizer, options.checkpoint_dir)
    parallel = DistributedDataParallel(model) if dist.is_initialized() else model
    tokens = options.batch * options.context * world
    known: dict[str, float] = {}
    for step in range(done + 1, options.steps + 1):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * schedule(step, options.warmup, options.steps)
        inputs, targets = batch(text.train, options, step, rank)
        loss = F.cross_entropy(parallel(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if rank:
            continue
        rate = tokens / (time.perf_counter() - started)
        validated = step % options.validate_every == 0 or step in {done + 1, options.steps}
        if validated:
            known["val_loss"] = validate(model, text, options)
        gw.report(step=step, loss=loss.item(), tokens=tokens, **known)
        if validated or step % 10 == 0:
            more = "".join(f"  {name} {value:.3f}" for name, value in known.items())
            say(f"step {step}/{options.steps}  loss {loss:.3f}  {rate:.0f} tokens/s{more}")
        if step % options.checkpoint_every == 0 and step < options.steps:
            save(model, optimizer, options.checkpoint_dir, step)


def schedule(step: int, warmup: int, steps: int) -> float:
    """Linear up, then a cosine down to a twentieth."""
    if step < warmup:
        return step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def batch(
    ids: np.ndarray, options: argparse.Namespace, step: int, rank: int
) -> tuple[Tensor, Tensor]:
    """Inputs and targets, (batch, context) each, from random places."""
    chance = np.random.default_rng([options.seed, step, rank])
    starts = chance.integers(0, len(ids) - options.context - 1, options.batch)
    return windows(ids, starts, options.context)


def windows(ids: np.ndarray, starts: np.ndarray, context: int) -> tuple[Tensor, Tensor]:
    """The tokens from each start on, and the ones that follow each of them."""
    rows = np.stack([ids[start : start + context + 1] for start in starts]).astype(np.int64)
    both = torch.from_numpy(rows)
    return both[:, :-1], both[:, 1:]


@torch.inference_mode()
def validate(model: GPT, text: Corpus, options: argparse.Namespace) -> float:
    """Mean loss, nats a token, over windows spread evenly over the validation split."""
    last = len(text.validation) - options.context - 1
    starts = np.linspace(0, last, VALIDATION_WINDOWS).astype(np.int64)
    inputs, targets = windows(text.validation, starts, options.context)
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).item()


def save(model: GPT, optimizer: torch.optim.Optimizer, directory: Path, step: int) -> None:
    """Write a checkpoint whole or not at all, and remove the oldest."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"step-{step:06d}.pt"
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": torch.get_rng_state(),
    }
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    for old in sorted(directory.glob("step-*.pt"))[:-KEEP]:
        old.unlink()
    gw.checkpoint(step=step, path=str(path))
    say(f"step {step}: checkpoint {path.name}")


def resume(model: GPT, optimizer: torch.optim.Optimizer, directory: Path) -> int:
    """Load the newest checkpoint that is whole; the step it was made at, or 0."""
    for path in sorted(directory.glob("step-*.pt"), reverse=True):
        if not whole(path):
            say(f"{path.name} is damaged; trying the one before")
            continue
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        say(f"resuming after step {state['step']} from {path.name}")
        return state["step"]
    return 0


def whole(path: Path) -> bool:
    """Whether every part of a checkpoint has the checksum that it was written with."""
    try:
        with ZipFile(path) as archive:  # what torch.save writes
            return archive.testzip() is None
    except (OSError, BadZipFile):
        return False


def export(model: GPT, text: Corpus, options: argparse.Namespace) -> None:
    """What serving needs, in `final/`: weights, their shape, the tokens, and the last figures."""
    final = options.checkpoint_dir / "final"
    final.mkdir(parents=True, exist_ok=True)
    loss = validate(model, text, options)
    per_byte = loss / text.bytes_per_token / math.log(2)
    torch.save(model.state_dict(), final / "weights.pt")
    text.tokenizer.save(final / "tokenizer.json")
    (final / "config.json").write_text(json.dumps(asdict(model.config), indent=2))
    figures = {"val_loss": loss, "val_bits_per_byte": per_byte, "steps": options.steps}
    (final / "metrics.json").write_text(json.dumps(figures, indent=2))
    say(f"val_loss {loss:.3f}, {per_byte:.2f} bits a byte; model in {final}")


def say(line: str) -> None:
    """One line, at once."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
