"""The whole loop on this machine, through nothing but the public command line, client and gateway.

An environment is built, two ranks train, one is killed, the run recovers from its checkpoint on another node, the model
is registered and served, answers, scales to zero and wakes, and the ledger says where the time went. What is claimed
is checked: the exit status is 0 only if all of it held. `--fast` trains fewer steps.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import OpenAI
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from stage import GW, WAIT_S, ClaimError, Scene, alive, processes_of, share_that_parses, wait

import gigawatt as gw

HERE = Path(__file__).resolve().parent
NODES = 3
IDLE_S = 4  # without a request for this long: no replica
PROMPT = "import os\n\n\nclass Reader:\n    def __init__(self"
PYTHON_WORDS = re.compile(r"\b(self|def|return|if|else|for|in|is|not|None|import|class|raise)\b")

View = Any  # the API's JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to train, and when to interfere."""

    steps: int
    checkpoint_every: int
    kill_after: (
        int  # the rank is killed at the first step past this that has unsaved work behind it
    )
    loss_drop: float  # by which the validation loss must fall, nats a token
    python_share: float  # of the lines of a completion that must parse


FULL = Plan(steps=500, checkpoint_every=50, kill_after=230, loss_drop=3.0, python_share=0.5)
FAST = Plan(steps=60, checkpoint_every=20, kill_after=25, loss_drop=1.5, python_share=0.2)


def main() -> int:
    """Play every act, clean up whatever happened, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="train fewer steps")
    parser.add_argument("--keep", action="store_true", help="leave the data directory")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    plan = FAST if options.fast else FULL
    data = Path(tempfile.mkdtemp(prefix="gigawatt-demo-"))
    scene = Scene(console=Console(highlight=False), data=data)
    held = False
    try:
        held = played(scene, lambda: play(scene, plan)) and played(scene, lambda: close(scene))
    finally:
        if not held:
            subprocess.run([GW, "down", "--data", scene.data], capture_output=True, check=False)
        if options.keep:
            scene.console.print(f"kept: {scene.data}")
        else:
            shutil.rmtree(scene.data)
    took = time.monotonic() - started
    scene.console.print(f"\n{'Everything held' if held else 'FAILED'}, in {took:.0f} s.")
    return 0 if held else 1


def played(scene: Scene, act: Callable[[], None]) -> bool:
    """Whether it went through; if not, what there is to see of it is shown."""
    try:
        act()
    except (ClaimError, gw.GigawattError, OSError, TimeoutError) as error:
        scene.console.print(f"\n[bold red]✗ {type(error).__name__}: {error}[/bold red]")
        logs = [*scene.data.glob("nodes/*/attempts/*/logs/rank-*"), *scene.data.glob("logs/*")]
        for log in sorted(logs):
            scene.console.print(f"--- {log.relative_to(scene.data)}")
            scene.quote("\n".join(log.read_text(errors="replace").splitlines()[-15:]))
        return False
    return True


def play(scene: Scene, plan: Plan) -> None:
    """Everything but the end."""
    scene.title(f"1. One command makes this machine a cloud of {NODES} nodes")
    scene.gw("up", "--nodes", str(NODES), "--port", "0", "--gateway-port", "0", "--detach")
    instance = json.loads((scene.data / "instance.json").read_text())
    scene.pids.add(instance["pid"])
    with gw.Client(data=scene.data) as client:
        ready = [node for node in client.nodes.list() if node["state"] == "ready"]
        scene.claim(len(ready) == NODES, f"{NODES} nodes are ready")
        job = train(scene, client, plan)
        register(scene, client, job)
        serve(scene, client, plan, Path(instance["token_path"]).read_text().strip())
        account(scene, client, job)


def train(scene: Scene, client: gw.Client, plan: Plan) -> gw.Job:
    """Build the environment, train, kill a rank on the way, see the run recover."""
    scene.title("2. An environment is built, and two ranks on two nodes train a GPT")
    every = plan.checkpoint_every
    command = (
        f"python train.py --steps {plan.steps} --checkpoint-every {every} --validate-every {every}"
    )
    job = client.submit(HERE / "job.yaml", command=command)
    scene.console.print(f"  {job.id}: {command}")
    built = build(scene, client, job.view["environment"])
    scene.claim(built["phase"] == "ready", f"{built['id']} is built: {built['message'] or 'ready'}")
    scene.claim("torch==2.13.0" in built["lock"], "its lock pins torch 2.13.0 and all it needs")
    run = Run()
    columns = (TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, TimeElapsedColumn(), console=scene.console) as progress:
        bar = progress.add_task("waiting", total=plan.steps, text="")
        for view in job.watch():
            run.note(view)
            show(progress, bar, view, plan)
            if run.killed is None and ready_to_kill(view, plan):
                run.kill(view)
                progress.console.print(f"  kill -9 {run.killed}, rank 1 on {run.killed_on}")
    scene.pids |= run.pids
    recovered(scene, job, run)
    learnt(scene, run, plan)
    return job


def build(scene: Scene, client: gw.Client, environment: str) -> View:
    """Follow the build to its end; the environment."""
    view: View = {}
    with scene.console.status("building") as status:
        for view in client.environments.stages(environment):
            status.update(f"environment: {view['stage'] or view['phase']}")
    return view


@dataclass(slots=True, kw_only=True)
class Run:
    """What was seen of the training."""

    losses: dict[int, float] = field(default_factory=dict)  # validation, by step
    pids: set[int] = field(default_factory=set)
    killed: int | None = None
    killed_on: str = ""
    saved: int = 0  # step of the last checkpoint before the kill
    reached: int = 0  # step at the kill
    first_after: int = 0  # first step reported by the second attempt

    def note(self, view: View) -> None:
        """Remember what a view of the job says."""
        for attempt in view["attempts"]:
            self.pids |= {rank["pid"] for rank in attempt["ranks"] if rank["pid"]}
        progress = view["progress"]
        if progress is None or progress["step"] is None:
            return
        if "val_loss" in progress["metrics"]:
            self.losses[progress["step"]] = progress["metrics"]["val_loss"]
        if len(view["attempts"]) == 2 and not self.first_after:
            started = view["attempts"][1]["running_ms"]
            if started is not None and progress["at_ms"] >= started:
                self.first_after = progress["step"]

    def kill(self, view: View) -> None:
        """Kill rank 1 as a fault would: without a word to anyone."""
        rank = view["attempts"][0]["ranks"][1]
        self.killed, self.killed_on = rank["pid"], rank["node"]
        self.saved, self.reached = view["checkpoint"]["step"], view["progress"]["step"]
        os.kill(rank["pid"], signal.SIGKILL)


def ready_to_kill(view: View, plan: Plan) -> bool:
    """In the first attempt, past the middle, with work since the last checkpoint to lose."""
    if len(view["attempts"]) != 1 or not view["checkpoint"] or not view["progress"]:
        return False
    step = view["progress"]["step"] or 0
    unsaved = step - view["checkpoint"]["step"]
    return step >= plan.kill_after and unsaved >= plan.checkpoint_every // 5


def show(progress: Progress, bar: TaskID, view: View, plan: Plan) -> None:
    """One line: phase, step, loss, throughput."""
    seen = view["progress"]
    text = ""
    if seen and seen["step"] is not None:
        text = f"step {seen['step']}/{plan.steps}  loss {seen['loss'] or 0:.2f}"
        text += f"  {seen['tokens_per_s'] or 0:.0f} tokens/s"
        progress.update(bar, completed=seen["step"])
    attempt = f", attempt {len(view['attempts'])}" if view["attempts"] else ""
    progress.update(bar, description=f"{view['phase']}{attempt}", text=text)


def recovered(scene: Scene, job: gw.Job, run: Run) -> None:
    """What must be true after a kill in the middle."""
    scene.gw("jobs", job.id)
    scene.claim(job.phase == "succeeded", f"the job succeeded: {job.view['message'] or 'done'}")
    attempts = job.view["attempts"]
    scene.claim(len(attempts) == 2, "in its second attempt")
    first, second = attempts
    evidence = "; ".join(fact["detail"] for fact in first["evidence"])
    scene.claim(
        first["verdict"] == "infrastructure" and first["charged_to"] == "infrastructure",
        f"the first is charged to the infrastructure: {evidence}",
    )
    scene.claim(
        run.killed_on not in second["nodes"],
        f"the second ran on {' and '.join(second['nodes'])}, not on {run.killed_on}",
    )
    log = b"".join(job.logs(attempt=2)).decode()
    scene.claim(
        f"resuming after step {run.saved} " in log and run.first_after > run.saved,
        f"it went on after step {run.saved}: {run.reached - run.saved} steps were done again",
    )
    took = (second["running_ms"] - first["ranks"][1]["ended_ms"]) / 1000
    scene.claim(second["running_ms"] > 0, f"its ranks ran {took:.1f} s after the kill")


def learnt(scene: Scene, run: Run, plan: Plan) -> None:
    """The validation loss must fall clearly."""
    losses = [run.losses[step] for step in sorted(run.losses)]
    curve = list(dict.fromkeys(losses))  # a figure is reported again until the next validation
    scene.claim(
        curve[0] - curve[-1] > plan.loss_drop,
        f"the validation loss fell: {' → '.join(f'{loss:.2f}' for loss in curve)}",
    )


def register(scene: Scene, client: gw.Client, job: gw.Job) -> None:
    """The output is a version of a model, and says where it came from."""
    scene.title("3. What it made is a model")
    model = client.models.find("tiny-gpt")
    version = model["versions"][0]
    lineage = version["lineage"]
    scene.gw("models", "tiny-gpt")
    scene.claim(
        job.view["model_version"] == version["ref"] == "tiny-gpt:1"
        and model["aliases"] == {"prod": 1},
        "tiny-gpt:1 is registered, and prod means it",
    )
    scene.claim(
        lineage["job"] == job.id
        and lineage["attempt"] == 2
        and lineage["environment"] == job.view["environment"]
        and lineage["bundle"] == job.view["bundle"] != "",
        "it names its job, attempt, environment and code",
    )


def serve(scene: Scene, client: gw.Client, plan: Plan, key: str) -> None:
    """Serve, answer, sleep, wake."""
    scene.title("4. It is served behind OpenAI's API, by no process until someone asks")
    scene.gw("serve", str(HERE / "endpoint.yaml"), "--idle", f"{IDLE_S}s")
    url = client.endpoints.find("tiny-gpt")["url"]
    with OpenAI(base_url=url, api_key=key, timeout=WAIT_S, max_retries=0) as openai:
        scene.claim("tiny-gpt" in {m.id for m in openai.models.list()}, f"{url} lists tiny-gpt")
        first = ask(scene, openai, plan, "cold")
        again = ask(scene, openai, plan, "warm")
        scene.claim(again < first, f"first token: {first:.1f} s cold, {again:.2f} s warm")
        chat = openai.chat.completions.create(
            model="tiny-gpt",
            messages=[{"role": "user", "content": "import "}],
            max_tokens=16,
            seed=1,
        )
        scene.claim(
            bool(chat.choices[0].message.content) and chat.usage is not None,
            "chat completions answer too, and count tokens",
        )
        scene.title("5. Nobody asks, so nothing runs; someone asks, and it wakes")
        replica = client.endpoints.find("tiny-gpt")["replicas_list"][0]["pid"]
        scene.pids.add(replica)
        wait(
            lambda: client.endpoints.find("tiny-gpt")["phase"] == "zero" and not alive(replica),
            "the endpoint to scale to zero",
        )
        scene.claim(not alive(replica), f"after {IDLE_S} s of quiet, process {replica} is gone")
        cold = ask(scene, openai, plan, "cold")
        scene.claim(cold > again, f"it woke by itself: first token after {cold:.1f} s")
    view = client.endpoints.find("tiny-gpt")
    scene.pids |= {replica["pid"] for replica in view["replicas_list"] if replica["pid"]}
    scene.gw("endpoints")


def ask(scene: Scene, openai: OpenAI, plan: Plan, kind: str) -> float:
    """One streamed completion, shown and judged; seconds to its first token."""
    asked = time.monotonic()
    first = None
    pieces: list[str] = []
    usage = None
    with scene.console.status(f"asking ({kind})"):
        stream = openai.completions.create(
            model="tiny-gpt",
            prompt=PROMPT,
            max_tokens=100,
            temperature=0.5,
            frequency_penalty=0.1,
            seed=7,
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            first = first or time.monotonic() - asked
            pieces += [choice.text for choice in chunk.choices]
            usage = chunk.usage or usage
    text = PROMPT + "".join(pieces)
    if kind == "cold":
        scene.quote(text)
    counted = usage is not None and usage.completion_tokens == 100
    scene.claim(len(pieces) > 50 and counted, f"{len(pieces)} pieces came as a stream, and usage")
    words = len(PYTHON_WORDS.findall("".join(pieces)))
    share = share_that_parses(text)
    scene.claim(
        words >= 5 and share >= plan.python_share,
        f"it reads like Python: {words} of its words, and {share:.0%} of the lines parse",
    )
    return first or 0.0


def account(scene: Scene, client: gw.Client, job: gw.Job) -> None:
    """Where every second went."""
    scene.title("6. The ledger says where every second went")
    scene.gw("goodput", job.id)
    goodput = job.goodput()
    scene.claim(
        sum(goodput["classes"].values()) == goodput["total"] > 0,
        "the job's classes sum to what it held",
    )
    scene.claim(
        goodput["classes"]["useful"] > 0 and goodput["classes"]["redone"] > 0,
        f"goodput {goodput['goodput'] or 0:.0%}: what the kill cost is in it, as redone",
    )
    scene.gw("ledger")
    ledger = client.ledger.totals()
    scene.claim(
        sum(ledger["classes"].values()) == ledger["installed"] > 0,
        "the classes of all nodes sum to what is installed, to the millisecond",
    )
    scene.claim(ledger["classes"]["serving"] > 0, "serving is in it")


def close(scene: Scene) -> None:
    """Stop everything; nothing may be left."""
    scene.title("7. One command stops it all")
    scene.gw("down")
    wait(lambda: not any(alive(pid) for pid in scene.pids), "every process to end")
    scene.claim(not any(alive(pid) for pid in scene.pids), f"all {len(scene.pids)} pids are gone")
    left = processes_of(scene.data)
    scene.claim(not left, "no process of this instance is left" if not left else f"left: {left}")


if __name__ == "__main__":
    sys.exit(main())
