"""What goes on with a rank while it runs: reports, readiness, stacks, commands beside it, requests for checkpoints."""

import asyncio
import sys
from pathlib import Path

import pytest

from gigawatt.clock import now_ms
from gigawatt.engine.base import UnknownAttemptError
from gigawatt.model.endpoint import Readiness
from gigawatt.model.gang import GangKind
from gigawatt.model.observation import (
    CheckpointSaved,
    RankExited,
    RankProgress,
    RankStarted,
    ReplicaReadiness,
)
from gigawatt.model.refusal import RefusalError
from tests.contract.engine.leading import leading

pytestmark = pytest.mark.slow

REPORTS = """
import time
import gigawatt as gw
begin = time.monotonic()
step = 0
while time.monotonic() - begin < 1:
    step += 1
    gw.report(step=step, loss=1 / step, tokens=10, lr=0.5)
print(step)
"""


def test_progress_comes_at_most_five_times_a_second_and_the_last_report_always(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run(sys.executable, "-c", REPORTS)
            steps = int(await bench.output(key))
            told = bench.told(RankProgress, key)
            last = told[-1].progress
            assert 2 <= len(told) <= 7
            assert (last.step, last.tokens, last.metrics) == (steps, 10 * steps, (("lr", 0.5),))
            assert last.loss == pytest.approx(1 / steps)
            assert last.tokens_per_s == pytest.approx(10 * steps, rel=0.5)
            assert bench.seen.index(told[-1]) < bench.seen.index(bench.told(RankExited, key)[0])

    asyncio.run(story())


def test_the_newest_progress_and_checkpoint_are_told_to_the_next_control_plane(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            directory = bench.shared_directory()
            script = (
                "import gigawatt as gw, time\n"
                f"open('{directory}/c', 'w').close()\n"
                f"for step in (1, 2): gw.checkpoint(step=step, path='{directory}/c')\n"
                "gw.report(step=2)\ntime.sleep(300)"
            )
            key = await bench.launch(bench.build(sys.executable, "-c", script))
            await bench.wait(RankProgress, key=key)
            await bench.wait(CheckpointSaved, key=key, count=2)
            assert [each.checkpoint.step for each in bench.told(CheckpointSaved, key)] == [1, 2]
            await bench.restart()
            assert [each.progress.step for each in bench.told(RankProgress, key)] == [2]
            assert [each.checkpoint.step for each in bench.told(CheckpointSaved, key)] == [2]

    asyncio.run(story())


def test_progress_is_told_before_the_checkpoint_that_follows_it(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            directory = bench.shared_directory()
            script = (
                "import gigawatt as gw, time\n"
                "for step in (1, 2, 3): gw.report(step=step)\n"
                f"gw.checkpoint(step=3, path='{directory}')\ntime.sleep(300)"
            )
            key = await bench.launch(bench.build(sys.executable, "-c", script))
            saved = await bench.wait(CheckpointSaved, key=key)
            before = bench.seen[: bench.seen.index(saved)]
            told = [each for each in before if isinstance(each, RankProgress)]
            assert told[-1].progress.step == 3

    asyncio.run(story())


def test_a_checkpoint_that_is_not_there_does_not_count(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            script = (
                'echo \'{"step": 1, "path": "/no/such/checkpoint"}\''
                ' > "$GIGAWATT_REPORT_DIR/rank-0.checkpoints"'
            )
            key = await bench.run("sh", "-c", script)
            assert bench.told(CheckpointSaved, key) == []

    asyncio.run(story())


def test_nonsense_in_report_files_is_passed_over(data: Path) -> None:
    nonsense = "[" * 5000 + '\n{"step": "x", "loss": 1e999, "tokens": 1' + "0" * 400 + "}\nnull\n"

    async def story() -> None:
        async with leading(data) as bench:
            file = bench.shared_directory() / "nonsense"
            file.write_text(nonsense + '{"step": 9}\n')
            script = f'cat {file} > "$GIGAWATT_REPORT_DIR/rank-0.progress"'
            key = await bench.run("sh", "-c", script)
            assert [each.progress.step for each in bench.told(RankProgress, key)] == [9]

    asyncio.run(story())


SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists(os.environ["HEALTHY"]) else 503)
        self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_replica_is_ready_when_it_says_so_and_not_when_it_does_not(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            healthy = bench.shared_directory() / "healthy"
            key = await bench.launch(
                bench.build(
                    sys.executable,
                    "-c",
                    SERVER,
                    kind=GangKind.REPLICA,
                    readiness=Readiness(path="/health", interval_ms=20),
                    env=(("HEALTHY", str(healthy)),),
                )
            )
            await bench.wait(RankStarted, key=key)
            assert bench.told(ReplicaReadiness, key) == []
            healthy.touch()
            assert (await bench.wait(ReplicaReadiness, key=key)).ready
            await bench.restart()
            assert [each.ready for each in bench.told(ReplicaReadiness, key)] == [True]
            healthy.unlink()
            unready = await bench.wait(ReplicaReadiness, key=key, count=2)
            assert (unready.ready, unready.detail) == (
                False,
                "GET /health: HTTP/1.0 503 Service Unavailable",
            )

    asyncio.run(story())


SPIN = """
import gigawatt, time
def wait_for_the_other_rank():
    print("in", flush=True)
    time.sleep(300)
wait_for_the_other_rank()
"""


def test_the_stacks_of_a_rank_that_imports_gigawatt_are_pythons(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sh", "-c", f"{sys.executable} -c '{SPIN}'; true"))
            await bench.wait_for_output(key, "in")
            text = await bench.engine.probe(key, 0)
            assert "Python stacks, written by the program's fault handler" in text
            assert "in wait_for_the_other_rank" in text
            assert "not a program that imported gigawatt" in text  # the shell above it
            assert "in wait_for_the_other_rank" in await bench.engine.probe(key, 0)

    asyncio.run(story())


def test_of_any_other_rank_the_kernel_says_where_it_waits(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            await bench.wait(RankStarted, key=key)
            text = await bench.engine.probe(key, 0)
            assert "not a program that imported gigawatt; what the kernel shows" in text
            assert " sleep: " in text

    asyncio.run(story())


def test_the_stacks_of_a_python_that_knows_nothing_of_us_are_seen_by_py_spy(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            script = SPIN.replace("import gigawatt, time", "import time")
            key = await bench.launch(bench.build(sys.executable, "-c", script))
            await bench.wait_for_output(key, "in")
            text = await bench.engine.probe(key, 0)
            seen = "wait_for_the_other_rank (<string>:" in text
            # The system may forbid it to look into others' memory: then the kernel's view is what there is.
            assert seen or "what the kernel shows" in text

    asyncio.run(story())


def test_a_rank_that_is_not_there_cannot_be_looked_at(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run("true")
            other = await bench.launch(bench.build("sleep", "300"))
            await bench.wait(RankStarted, key=other)
            with pytest.raises(UnknownAttemptError):
                await bench.engine.probe(key, 0)
            with pytest.raises(UnknownAttemptError):
                await bench.engine.probe(other, 1)
            with pytest.raises(UnknownAttemptError):
                await bench.engine.exec(key, 0, ("true",))

    asyncio.run(story())


def test_a_command_beside_a_rank_has_its_directory_and_environment(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sh", "-c", "echo x > here; echo in; sleep 300"))
            await bench.wait_for_output(key, "in")
            result = await bench.engine.exec(
                key, 0, ("sh", "-c", "cat here; echo $GIGAWATT_JOB >&2; exit 5")
            )
            assert (result.exit_code, result.stdout, result.stderr) == (
                5,
                b"x\n",
                f"{key.gang}\n".encode(),
            )
            with pytest.raises(RefusalError, match="no-such-command: command not found"):
                await bench.engine.exec(key, 0, ("no-such-command",))

    asyncio.run(story())


def test_of_a_commands_output_the_first_mebibyte_comes_back(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            await bench.wait(RankStarted, key=key)
            result = await bench.engine.exec(key, 0, ("head", "-c", "3000000", "/dev/zero"))
            assert (result.exit_code, result.stdout) == (0, bytes(1 << 20))

    asyncio.run(story())


ASKED = """
import gigawatt as gw, os, time
path = os.path.join(os.environ["GIGAWATT_REPORT_DIR"], "saved")
print(gw.checkpoint_requested(), flush=True)
while not gw.checkpoint_requested(): time.sleep(0.01)
open(path, "w").close()
gw.checkpoint(step=1, path=path)
print(gw.checkpoint_requested(), flush=True)
"""


def test_a_rank_learns_that_a_checkpoint_is_asked_for(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build(sys.executable, "-c", ASKED))
            await bench.wait_for_output(key, "False")
            await bench.engine.notify(key, checkpoint_by_ms=now_ms() + 60_000)
            await bench.wait(CheckpointSaved, key=key)
            await bench.wait(RankExited, key=key)
            assert await bench.output(key) == "False\nFalse\n"

    asyncio.run(story())


def test_output_can_be_read_as_it_is_written(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            flag = bench.shared_directory() / "flag"
            script = f"echo one; while ! test -e {flag}; do sleep 0.01; done; echo two"
            key = await bench.launch(bench.build("sh", "-c", script))
            await bench.wait_for_output(key, "one")
            before = await bench.engine.read_log(key, 0, "stdout", offset=0, limit=100)
            assert (before.data, before.end) == (b"one\n", False)
            flag.touch()
            await bench.wait(RankExited, key=key)
            after = await bench.engine.read_log(key, 0, "stdout", offset=4, limit=100)
            assert (after.data, after.end) == (b"two\n", True)

    asyncio.run(story())
