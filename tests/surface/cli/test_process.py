"""`gw` as a process: what it loads, and how it leaves when interrupted or unread."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.surface.cli.double import TOKEN, Answer, ApiDouble, a_job, log, sse
from tests.waiting import until

pytestmark = pytest.mark.slow

GW = [sys.executable, "-c", "from gigawatt.cli import main; main()"]
HEAVY = ("httpx2", "numpy", "pydantic", "rich", "sqlalchemy", "yaml")


def environ(api: ApiDouble | None = None) -> dict[str, str]:
    found = {"GIGAWATT_API": api.url, "GIGAWATT_TOKEN": TOKEN} if api else {}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **found}


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["completion", "bash"]])
def test_help_and_version_load_nothing_heavy(args: list[str]) -> None:
    program = (
        "import sys; sys.argv[0] = 'gw'\n"
        "from gigawatt.cli import main\n"
        "try: main()\n"
        f"finally: print([each for each in {HEAVY} if each in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, *args]
    done = subprocess.run(command, capture_output=True, text=True, env=environ(), check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ["logs", "-f", "tiny-gpt"],
        ["watch", "tiny-gpt"],
        ["run", "--wait", "--name", "a", "--no-bundle", "--", "a"],
    ],
)
def test_an_interrupted_follower_leaves_and_says_that_the_job_goes_on(
    api: ApiDouble, tmp_path: Path, args: list[str]
) -> None:
    job = a_job()
    api.jobs[job["id"]] = job
    api.on("GET", "/v1/jobs/[^/]+/watch", sse(("job", job)))
    api.on("GET", "/v1/jobs/[^/]+/logs", log(b"hello\n"))
    process = subprocess.Popen(
        [*GW, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environ(api),
    )
    until(lambda: any(each.path.endswith(("/watch", "/logs")) for each in api.requests))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    name = "a" if args[0] == "run" else "tiny-gpt"
    assert said.splitlines()[-1] == f"{name} goes on: `gw watch {name}` or `gw cancel {name}`"
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["logs tiny-gpt", "jobs --all -o json", "jobs --all"])
def test_output_that_nobody_reads_is_no_error(api: ApiDouble, command: str) -> None:
    jobs = [a_job(id=f"job-{number}") for number in range(3_000)]
    api.jobs.update({job["id"]: job for job in jobs})
    api.on("GET", "/v1/jobs/[^/]+/logs", log(b"x" * 79 + b"\n" * 500_000))
    process = subprocess.Popen(
        [*GW, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ(api)
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=20), said) == (141, b"")


def test_completion_offers_commands_and_jobs(api: ApiDouble) -> None:
    api.jobs["job-1"] = a_job(id="job-1")
    nodes = {"items": [{"id": "core-0"}, {"id": "local-0"}], "next": ""}
    api.on("GET", "/v1/nodes", Answer(body=nodes))

    def offered(words: str) -> list[str]:
        env = {
            **environ(api),
            "_GW_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        done = subprocess.run(GW, capture_output=True, text=True, env=env, check=False)
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert offered("gw e") == ["exec", "explain", "env", "endpoints", "events"]
    assert offered("gw logs ti") == ["tiny-gpt"]
    assert offered("gw nodes co") == ["cordon", "core-0"]
