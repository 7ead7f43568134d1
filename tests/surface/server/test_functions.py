"""Functions as jobs on a real instance: submitted, mapped, awaited, cancelled; what they return and raise comes back."""

import asyncio
import concurrent.futures
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmarks.instance import Instance

import gigawatt as gw
from gigawatt.model.refusal import RefusalError
from gigawatt.sdk.calls import INLINE_BYTES_MAX
from tests.waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 60.0
SOURCE = """
import dataclasses, os, sys, time
import gigawatt as gw

@dataclasses.dataclass
class Point:
    x: int
    y: int

class OwnError(Exception):
    def __init__(self, number, words):
        super().__init__(number, words)
        self.number = number

class Awkward(Exception):
    def __init__(self, one, two):
        super().__init__(one)

@gw.job(cpus=0.1)
def add(a, b=1):
    return a + b

@gw.job(cpus=0.1)
def mirrored(point):
    return Point(x=point.y, y=point.x)

@gw.job(cpus=0.1)
def fails(number):
    raise OwnError(number, "no luck")

@gw.job(cpus=0.1)
def awkward():
    raise Awkward("one", "two")

@gw.job(cpus=0.1)
def unpicklable():
    return lambda: 1

@gw.job(cpus=0.1)
def leaves():
    sys.exit(7)

@gw.job(cpus=0.1)
def dies():
    os._exit(9)

@gw.job(cpus=0.1)
def sleeps():
    print("asleep", flush=True)
    time.sleep(600)

@gw.job(cpus=0.1)
def speaks(lines):
    for line in range(lines):
        print(f"line {line}")
    return lines

@gw.job(cpus=0.1, retries=1)
def second_time():
    path = gw.checkpoint_dir() / "tried"
    if path.exists():
        return "again"
    path.write_text("once")
    raise OSError("the first time fails")

@gw.job(nodes=2, cpus=0.1)
def ranks(word):
    rank = int(os.environ["RANK"])
    if word == "fail" and rank == 1:
        raise ValueError("rank 1 fails")
    if word == "fail":
        time.sleep(600)
    return (rank, word)

@gw.job(cpus=0.1)
class Work:
    def __init__(self, start):
        self.said = [start]
    def setup(self):
        self.said.append("setup")
    def run(self):
        print(self.said)
        return self.said + ["run"]
    def teardown(self):
        print("teardown")
"""


@pytest.fixture(scope="module")
def client(instance: Instance) -> Iterator[gw.Client]:
    with gw.Client(data=instance.data) as client:
        yield client


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module in a directory of its own, as a user has it."""
    directory = tmp_path_factory.mktemp("project")
    (directory / "work_of_functions.py").write_text(SOURCE)
    sys.path.insert(0, str(directory))
    try:
        yield importlib.import_module("work_of_functions")
    finally:
        sys.path.remove(str(directory))
        sys.modules.pop("work_of_functions")


def test_a_function_returns_the_same_here_and_as_a_job(client: gw.Client, work: Any) -> None:
    assert work.add(1, b=2) == 3
    future = work.add.using(client).submit(1, b=2)
    assert future.result(WAIT_S) == 3
    assert future.done()
    assert future.exception() is None
    assert future.job.name == "add"
    assert future.cancel() is False


def test_objects_of_the_modules_classes_go_there_and_come_back(
    client: gw.Client, work: Any
) -> None:
    future = work.mirrored.using(client).submit(work.Point(x=1, y=2))
    assert future.result(WAIT_S) == work.Point(x=2, y=1)


def test_large_arguments_and_results_come_through_whole(client: gw.Client, work: Any) -> None:
    large = bytes(range(256)) * (INLINE_BYTES_MAX // 64)
    assert work.add.using(client).submit(large, large).result(WAIT_S) == large + large


def test_a_map_gives_results_in_the_order_of_its_items(client: gw.Client, work: Any) -> None:
    batch = work.add.using(client).map(range(8), range(8, 16))
    assert list(batch) == [8, 10, 12, 14, 16, 18, 20, 22]
    assert batch.done()
    assert {each.job.name for each in batch.futures} == {f"add-{n}" for n in range(8)}
    done, rest = gw.wait(batch, timeout=0)
    assert (len(done), len(rest)) == (8, 0)
    assert "8 of 8 done" in batch._repr_html_()


def test_futures_come_as_they_are_completed(client: gw.Client, work: Any) -> None:
    futures = [work.add.using(client).submit(n, 0) for n in range(3)]
    assert {future.result() for future in gw.as_completed(futures, WAIT_S)} == {0, 1, 2}


def test_an_exception_comes_back_as_itself_with_its_traceback_there(
    client: gw.Client, work: Any
) -> None:
    future = work.fails.using(client).submit(5)
    with pytest.raises(work.OwnError) as raised:
        future.result(WAIT_S)
    assert raised.value.number == 5
    cause = raised.value.__cause__
    assert isinstance(cause, gw.RemoteTraceback)
    assert 'raise OwnError(number, "no luck")' in str(cause)
    assert "rank/call.py" not in str(cause)
    assert future.job.view["attempts"][0]["charged_to"] == "user"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("awkward", "work_of_functions.Awkward: one"),
        ("unpicklable", "cannot be pickled"),
        ("leaves", "SystemExit: 7"),
    ],
)
def test_what_cannot_be_made_again_here_is_told_in_words(
    client: gw.Client, work: Any, name: str, words: str
) -> None:
    future = getattr(work, name).using(client).submit()
    assert words in str(future.exception(WAIT_S))


def test_a_rank_that_leaves_no_word_is_a_failed_job(client: gw.Client, work: Any) -> None:
    error = work.dies.using(client).submit().exception(WAIT_S)
    assert isinstance(error, gw.JobFailedError)


def test_a_retry_that_succeeds_is_the_result(client: gw.Client, work: Any) -> None:
    future = work.second_time.using(client).submit()
    assert future.result(WAIT_S) == "again"
    assert len(future.job.view["attempts"]) == 2


def test_a_running_job_is_cancelled(client: gw.Client, work: Any) -> None:
    future = work.sleeps.using(client).submit()
    assert next(future.logs()) == "asleep"
    assert future.running()
    called: list[bool] = []

    def call(each: concurrent.futures.Future[Any]) -> None:
        called.append(each.cancelled())

    future.add_done_callback(call)
    with pytest.raises(TimeoutError):
        future.result(0)
    assert future.cancel()
    assert called == [True]
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(0)
    until(lambda: future.job.refresh().phase == "cancelled", what="the job's end")


def test_a_job_cancelled_by_somebody_else_cancels_its_future(client: gw.Client, work: Any) -> None:
    future = work.sleeps.using(client).submit()
    client.job(future.job.id).cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(WAIT_S)


def test_every_rank_of_a_gang_has_a_result(client: gw.Client, work: Any) -> None:
    future = work.ranks.using(client).submit("word")
    assert future.results(WAIT_S) == [(0, "word"), (1, "word")]
    assert future.result() == (0, "word")


def test_the_exception_of_a_gang_is_that_of_the_rank_which_failed(
    client: gw.Client, work: Any
) -> None:
    future = work.ranks.options(grace=1).using(client).submit("fail")
    with pytest.raises(ValueError, match="rank 1 fails"):
        future.result(WAIT_S)


def test_a_class_is_set_up_run_and_torn_down(client: gw.Client, work: Any) -> None:
    future = work.Work.using(client).submit("start")
    assert future.result(WAIT_S) == ["start", "setup", "run"]
    assert list(future.logs(follow=False)) == ["['start', 'setup']", "teardown"]


def test_lines_are_streamed_until_the_end(client: gw.Client, work: Any) -> None:
    future = work.speaks.using(client).submit(3)
    assert list(future.logs()) == ["line 0", "line 1", "line 2"]


def test_futures_are_awaited_and_their_lines_too(client: gw.Client, work: Any) -> None:
    async def play() -> None:
        speaks, add = work.speaks.using(client), work.add.using(client)
        future = await speaks.submit_async(2)
        assert [line async for line in future.logs_async()] == ["line 0", "line 1"]
        assert await future == 2
        assert await asyncio.gather(add.submit(1, 1), add.submit(2, 2)) == [2, 4]
        assert [each async for each in await add.map_async([1, 2, 3])] == [2, 3, 4]

    asyncio.run(play())


def test_waiting_in_vain_leaves_the_job_alone(client: gw.Client, work: Any) -> None:
    async def play() -> None:
        async with asyncio.timeout(0):
            await future

    future = work.sleeps.using(client).submit()
    with pytest.raises(TimeoutError):
        asyncio.run(play())
    assert not future.done()
    assert future.cancel()


def test_another_process_reads_plain_results_and_is_asked_to_trust_pickles(
    client: gw.Client, instance: Instance, work: Any
) -> None:
    plain = work.add.using(client).submit(1, 1)
    pickled = work.ranks.using(client).submit("word")
    assert plain.result(WAIT_S) == 2
    assert pickled.result(WAIT_S) == (0, "word")
    with gw.Client(data=instance.data) as other:
        assert other.future(plain.job.id).result(WAIT_S) == 2
        with pytest.raises(gw.ResultError, match="runs code when it is loaded"):
            other.future(pickled.job.id).result(WAIT_S)
        assert other.future(pickled.job.id, unpickle=True).results(WAIT_S)[1] == (1, "word")


def test_functions_within_functions_and_their_classes_travel_as_values(client: gw.Client) -> None:
    pytest.importorskip("cloudpickle")
    factor = 3

    class Pair:
        def __init__(self, one: int, two: int) -> None:
            self.both = (one, two)

    @gw.job(cpus=0.1)
    def scaled(pair: Pair) -> Pair:
        return Pair(factor * pair.both[0], factor * pair.both[1])

    assert scaled.using(client).submit(Pair(1, 2)).result(WAIT_S).both == (3, 6)
    double: Callable[[int], int] = lambda n: 2 * n  # noqa: E731 - no name is the point
    doubled = gw.job(double)
    assert doubled.options(cpus=0.1).using(client).map(range(3)).results(WAIT_S) == [0, 2, 4]


def test_code_at_a_prompt_travels_as_a_value(instance: Instance) -> None:
    pytest.importorskip("cloudpickle")
    code = (
        "import gigawatt as gw\n"
        "class Own:\n    n = 4\n"
        "@gw.job(cpus=0.1)\ndef f(x):\n    return x.n + 1\n"
        "print(f.submit(Own()).result(60))\n"
    )
    assert ran(instance, "-c", code) == "5\n"


def test_a_scripts_functions_and_classes_travel_with_it(instance: Instance, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import dataclasses\nimport gigawatt as gw\n"
        "@dataclasses.dataclass\nclass Own:\n    n: int\n"
        "@gw.job(cpus=0.1)\ndef more(own):\n    return Own(own.n + 1)\n"
        "if __name__ == '__main__':\n    print(more.submit(Own(1)).result(60))\n"
    )
    assert ran(instance, str(script)) == "Own(n=2)\n"


def test_the_example_runs(instance: Instance) -> None:
    lines = ran(instance, str(ROOT / "examples" / "functions" / "pi.py")).splitlines()
    assert [line.partition(":")[0].strip() for line in lines] == [
        "here",
        "eight jobs",
        "rank 1 throws 20000 times",
        "two ranks",
    ]
    assert 3.1 < float(lines[1].split()[-1]) < 3.2


def test_a_job_that_is_no_function_has_no_result(client: gw.Client) -> None:
    job = client.submit(command=["true"], name="plain", gang={"cpus": 0.1})
    error = client.future(job.id).exception(WAIT_S)
    assert isinstance(error, gw.ApiError)
    assert "has left no result" in str(error)


def test_a_job_cannot_make_the_control_plane_read_what_is_not_its_own(
    client: gw.Client, instance: Instance
) -> None:
    link = 'd="$GIGAWATT_CHECKPOINT_DIR/.results"; mkdir -p "$d"; ln -s "$0" "$d/rank-0"'
    secret = str(instance.data / "token")
    job = client.submit(command=["sh", "-c", link, secret], name="spy", gang={"cpus": 0.1})
    job.wait(timeout_s=WAIT_S)
    with pytest.raises(gw.ApiError) as refused:
        job.result_of(0)
    assert refused.value.status == 404


def test_what_is_refused_has_sent_nothing(client: gw.Client, work: Any) -> None:
    with pytest.raises(RefusalError, match="cannot be pickled"):
        work.add.using(client).submit(lambda: 1)
    with pytest.raises(gw.ApiError, match="nodes"):
        work.add.options(nodes=5000).using(client).submit(1)


def ran(instance: Instance, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, *args],
        env=instance.environ(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
