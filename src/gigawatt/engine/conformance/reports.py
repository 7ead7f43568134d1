"""Reports: how ranks end, and what they say of themselves."""

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.model.observation import CheckpointSaved, RankExited, RankProgress

PROGRAM = """
import math, os
import gigawatt as gw
gw.report(step=7, loss=math.nan, tokens=512, accuracy=0.5)
path = os.path.join(os.environ["GIGAWATT_CHECKPOINT_DIR"], "step-7")
open(path, "w").close()
gw.checkpoint(step=7, path=path)
print(gw.resume_step(), gw.checkpoint_dir())
"""


async def exit_is_reported_once(bench: Bench) -> str:
    """An exit is told once, however often the attempt is asked about."""
    key = await bench.run("sh", "-c", "exit 7")
    exited = await bench.wait(RankExited, key=key)
    check(exited.exit_code == 7 and exited.signal is None, f"told as {exited}")
    check(not exited.asked and not exited.lost and not exited.oom, f"told as {exited}")
    await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
    await bench.stays_quiet(RankExited, key)
    check(len(bench.told(RankExited, key)) == 1, "the exit was told more than once")
    return "exit code 7, once"


async def exit_has_evidence(bench: Bench) -> str:
    """An exit comes with the last lines written, and a signal with its number."""
    bench.needs_programs()
    key = await bench.run("sh", "-c", "echo first; echo no such tensor >&2; exit 3")
    exited = await bench.wait(RankExited, key=key)
    check("no such tensor" in exited.last_lines, f"last lines: {exited.last_lines}")
    key = await bench.run("sh", "-c", "kill -SEGV $$")
    killed = await bench.wait(RankExited, key=key)
    check(killed.signal == 11 and killed.exit_code is None, f"told as {killed}")
    return "last lines of standard error; signal 11"


async def progress_and_checkpoints_are_reported(bench: Bench) -> str:
    """What the rank module is told arrives; a checkpoint counts when its path is there."""
    directory = bench.shared_directory()
    key = await bench.run("python3", "-c", PROGRAM, checkpoint_dir=str(directory), resume_step=5)
    progress = (await bench.wait(RankProgress, key=key)).progress
    check(progress.step == 7 and progress.loss is None and progress.tokens == 512, f"{progress}")
    check(progress.metrics == (("accuracy", 0.5),), f"metrics: {progress.metrics}")
    saved = (await bench.wait(CheckpointSaved, key=key)).checkpoint
    check(saved.step == 7 and saved.path == str(directory / "step-7"), f"{saved}")
    output = await bench.output(key)
    check(output.split() == ["5", str(directory)], f"the rank saw {output!r}")
    return "step 7 with a NaN loss; checkpoint of step 7"
