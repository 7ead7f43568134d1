"""Checkpoints: known by what they were when reported, found out when they are not, deleted where they may be."""

import json
import os
from pathlib import Path

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.model.checkpoint import Candidate, Checkpoint
from gigawatt.model.observation import CheckpointSaved, CheckpointsFound

SAVE = """
import os
import gigawatt as gw
path = os.path.join(os.environ["GIGAWATT_CHECKPOINT_DIR"], "step-1")
os.makedirs(os.path.join(path, "shards"))
for name in ("meta", "shards/0", "shards/1"):
    with open(os.path.join(path, name), "wb") as file:
        file.write(name.encode() * 1000)
gw.checkpoint(step=1, path=path, val_loss=0.5)
"""
RESUME = "import json, gigawatt as gw; print(json.dumps([gw.resume_step(), str(gw.resume_path())]))"
SIZE_BYTES = 1000 * (len("meta") + 2 * len("shards/0"))


async def broken_checkpoint_is_found_out(bench: Bench) -> str:
    """A whole checkpoint is valid; one cut short, changed or missing is not, and the fault says which file."""
    within, saved = await _saved(bench)
    check(saved.size_bytes == SIZE_BYTES and saved.files == 3, f"told as {saved}")
    check(saved.metrics == (("val_loss", 0.5),), f"metrics: {saved.metrics}")
    candidate = Candidate(checkpoint=saved, within=str(within))
    whole = await bench.engine.check_checkpoint(candidate, contents=True)
    check(not whole.fault and whole.digest.startswith("sha256:"), f"found {whole}")
    shard = Path(saved.path) / "shards" / "1"
    before = shard.stat()
    shard.write_bytes(b"x" * before.st_size)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    quick = await bench.engine.check_checkpoint(candidate, contents=False)
    check(not quick.fault, f"names, sizes and times are the same, and yet {quick}")
    read = await bench.engine.check_checkpoint(candidate, contents=True)
    check("shards/1" in read.fault, f"other content, found {read}")
    shard.write_bytes(b"x")
    short = await bench.engine.check_checkpoint(candidate, contents=False)
    check("shards/1" in short.fault and " 1 bytes" in short.fault, f"cut short, found {short}")
    shard.unlink()
    missing = await bench.engine.check_checkpoint(candidate, contents=False)
    check("shards/1" in missing.fault, f"missing, found {missing}")
    return f"told: {read.fault}; {short.fault}"


async def contents_are_read_in_the_background(bench: Bench) -> str:
    """While its attempt runs, a checkpoint's digest comes by itself, and it is that of reading it again."""
    within = bench.shared_directory()
    program = f"{SAVE}\nimport time; time.sleep(600)"
    key = await bench.launch(bench.build("python3", "-c", program, checkpoint_dir=str(within)))
    saved: Checkpoint = (await bench.wait(CheckpointSaved, key=key)).checkpoint
    (told,) = (await bench.wait(CheckpointsFound)).findings
    await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
    candidate = Candidate(checkpoint=saved, within=str(within))
    read = await bench.engine.check_checkpoint(candidate, contents=True)
    check((told.path, told.fault) == (saved.path, ""), f"told {told}")
    check(told.digest == read.digest, f"told {told.digest}, and read {read.digest}")
    return f"{told.digest[:19]}…, twice"


async def checkpoints_are_removed_within_their_directory(bench: Bench) -> str:
    """A checkpoint is deleted, again without an error; nothing outside is, nor through a link."""
    within, saved = await _saved(bench)
    beside = within.parent / "beside"
    beside.mkdir()
    (beside / "kept").touch()
    (within / "link").symlink_to(beside)
    paths = (
        str(within / "link"),
        str(within / "link" / "kept"),
        str(beside),
        f"{within}/../beside",
    )
    refused = await bench.engine.remove_checkpoints(str(within), (*paths, str(within)))
    check(all(each.fault for each in refused), f"deleted {refused}")
    check((beside / "kept").exists() and (within / "link").is_symlink(), "it followed a link")
    for _ in range(2):
        (found,) = await bench.engine.remove_checkpoints(str(within), (saved.path,))
        check(not found.fault and not _is_there(saved), f"found {found}")
    return f"refused: {refused[0].fault}; {refused[2].fault}"


async def rank_is_told_where_to_resume(bench: Bench) -> str:
    """The step and the path that a launch names are the rank's to read."""
    where = str(bench.shared_directory() / "step-9")
    key = await bench.run("python3", "-c", RESUME, resume_step=9, resume_path=where)
    output = json.loads(await bench.output(key))
    check(output == [9, where], f"the rank saw {output}")
    return f"step 9 at {where}"


def _is_there(saved: Checkpoint) -> bool:
    return Path(saved.path).exists()


async def _saved(bench: Bench) -> tuple[Path, Checkpoint]:
    within = bench.shared_directory() / "checkpoints"
    key = await bench.run("python3", "-c", SAVE, checkpoint_dir=str(within))
    return within, (await bench.wait(CheckpointSaved, key=key)).checkpoint
