"""What `gw run` and `gw serve` send, print and exit with."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gigawatt.sdk.bundle import pack
from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import Answer, ApiDouble, Request, a_job, ended, problem, sse

JOB = """\
name: tiny
command: python train.py
gang: {nodes: 2, cpus: 0.5}
"""


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sent(api: ApiDouble) -> list[Any]:
    return [request.json for request in api.sent("POST", "/v1/jobs")]


def ends(api: ApiDouble, phase: str, **changes: Any) -> dict[str, Any]:
    """From now on, whatever is submitted ends so."""
    last = ended(a_job(), phase, **changes)
    api.on("GET", "/v1/jobs/[^/]+/watch", sse(("job", a_job()), ("job", last), ("end", {})))
    return last


def test_a_command_is_sent_as_argv_with_the_code_around_it(gw: Gw, api: ApiDouble) -> None:
    Path("train.py").write_text("print(1)\n")
    result = gw("run", "--cpus", "0.5", "--", "python", "train.py", "--lr", "3e-4", "-v")
    archive = pack(Path())
    (job,) = sent(api)
    assert job == {
        "command": ["python", "train.py", "--lr", "3e-4", "-v"],
        "gang": {"cpus": 0.5},
        "bundle": archive.digest,
    }
    assert api.artifacts == {archive.digest: archive.path.read_bytes()}
    assert sha256(api.artifacts[archive.digest]) == archive.digest
    assert result.stdout == "job-1mfsxp000abcdefgh\n"
    assert "train is queued: `gw logs -f train`" in result.stderr


def test_a_bundle_that_is_there_is_not_sent_again(gw: Gw, api: ApiDouble) -> None:
    Path("train.py").write_text("print(1)\n")
    gw("run", "--", "python", "train.py")
    gw("run", "--", "python", "train.py")
    assert [each.method for each in api.requests].count("PUT") == 1
    assert sent(api)[0] == sent(api)[1]


def test_one_word_with_spaces_runs_under_a_shell(gw: Gw, api: ApiDouble) -> None:
    gw("run", "--no-bundle", "--", "python train.py && echo done")
    assert sent(api) == [{"command": "python train.py && echo done", "bundle": ""}]


def test_flags_win_over_a_file(gw: Gw, api: ApiDouble) -> None:
    Path("job.yaml").write_text(JOB)
    gw("run", "job.yaml", "--nodes", "1-4", "--env", "LR=1", "--name", "other")
    assert sent(api) == [
        {
            "name": "other",
            "command": "python train.py",
            "gang": {"nodes": {"min": 1, "max": 4}, "cpus": 0.5},
            "env": {"LR": "1"},
        }
    ]


def test_every_job_of_a_file_is_submitted_in_its_order(gw: Gw, api: ApiDouble) -> None:
    Path("all.yaml").write_text(f"{JOB}---\nname: after\ncommand: a\nafter: [tiny]\n")
    result = gw("run", "all.yaml", "-o", "json")
    assert [job["name"] for job in sent(api)] == ["tiny", "after"]
    assert [job["name"] for job in json.loads(result.stdout)["items"]] == ["tiny", "after"]


def test_a_file_can_come_from_stdin(gw: Gw, api: ApiDouble) -> None:
    gw("run", "-", stdin=JOB)
    assert [job["name"] for job in sent(api)] == ["tiny"]


def test_a_mistake_in_any_document_sends_nothing(gw: Gw, api: ApiDouble) -> None:
    Path("all.yaml").write_text(f"{JOB}---\nname: after\ncomand: a\n")
    result = gw("run", "all.yaml")
    assert result.exit_code == 2
    assert "error: all.yaml:6:1: comand is not a known field" in result.stderr
    assert api.requests == []


def test_an_endpoint_is_not_run_and_a_job_not_served(gw: Gw, api: ApiDouble) -> None:
    Path("e.yaml").write_text("kind: endpoint\nname: e\nmodel: m\ncommand: a\n")
    Path("j.yaml").write_text(JOB)
    run, serve = gw("run", "e.yaml"), gw("serve", "j.yaml")
    assert (run.exit_code, serve.exit_code) == (2, 2)
    assert run.stderr.splitlines() == [
        "error: e.yaml:1:1: an endpoint, and gw run takes jobs",
        "hint: gw serve e.yaml",
    ]
    assert "hint: gw run j.yaml" in serve.stderr
    assert api.requests == []


def test_a_dry_run_shows_where_and_sends_no_code(gw: Gw, api: ApiDouble) -> None:
    Path("train.py").write_text("print(1)\n")
    spec: dict[str, Any] = {
        "name": "train",
        "command": ["python", "train.py"],
        "gang": {
            "nodes": {"min": 1, "max": 1},
            "ranks_per_node": 1,
            "gpus": 0.0,
            "cpus": 1.0,
            "memory": 0,
            "spares": 0,
        },
        "environment": {"kind": "host", "python": "", "requirements": [], "lock": ""},
        "timeout": 7200,
    }
    view: dict[str, Any] = {
        "feasible": True,
        "starts_now": True,
        "placements": [{"rank": 0, "node": "local-0"}],
        "reason": None,
        "spec": spec,
    }
    api.on("POST", "/v1/jobs", Answer(body=view))
    result = gw("run", "--dry-run", "--", "python", "train.py")
    assert result.stdout.splitlines() == [
        "name         train",
        "verdict      would start now",
        "command      python train.py",
        "gang         1 node × 1 rank, each node 1 CPU",
        "environment  host",
        f"bundle       {Path.cwd()}",
        "timeout      2h",
        "",
        "where",
        "RANK  NODE",
        "   0  local-0",
    ]
    assert api.requests[-1].query == {"dry_run": ["true"]}
    assert api.artifacts == {}


def test_a_dry_run_of_what_can_never_run_fails(gw: Gw, api: ApiDouble) -> None:
    view: dict[str, Any] = {
        "feasible": False,
        "starts_now": False,
        "placements": [],
        "reason": None,
        "spec": {},
    }
    api.on("POST", "/v1/jobs", Answer(body=view))
    result = gw("run", "--dry-run", "--no-bundle", "-o", "json", "--", "a")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == view


def test_waiting_says_each_phase_once_and_how_it_ended(gw: Gw, api: ApiDouble) -> None:
    ends(api, "succeeded", model_version="tiny-gpt:3")
    result = gw("run", "--no-bundle", "--wait", "--name", "tiny-gpt", "--", "a")
    assert result.exit_code == 0
    assert result.stdout == "job-1mfsxp000abcdefgh\n"
    assert result.stderr.splitlines() == [
        "tiny-gpt job-1mfsxp000abcdefgh queued",
        "tiny-gpt  running  step 120  loss 2.312  8.12k tok/s",
        "tiny-gpt  succeeded",
        "tiny-gpt succeeded in 1m01s, model tiny-gpt:3",
    ]


def test_waiting_for_a_job_that_fails_exits_with_one(gw: Gw, api: ApiDouble) -> None:
    last = ends(api, "failed", message="rank 1 exited with code 1")
    told = gw("run", "--no-bundle", "--wait", "--", "a")
    asked = gw("run", "--no-bundle", "--wait", "-o", "json", "--", "a")
    assert (told.exit_code, asked.exit_code) == (1, 1)
    assert told.stderr.splitlines()[-2:] == [
        "error: tiny-gpt failed after 1m01s: rank 1 exited with code 1",
        "hint: gw explain tiny-gpt",
    ]
    assert json.loads(asked.stdout) == last
    assert asked.stderr == ""


def test_while_an_environment_is_built_its_stages_are_told(gw: Gw, api: ApiDouble) -> None:
    preparing = a_job(phase="preparing", environment="env-1", attempts=[], progress=None)
    stages = iter(["resolving", "installing: 12 packages"])

    def environment(_: Request) -> Answer:
        stage = next(stages, None)
        phase = "building" if stage else "ready"
        return Answer(body={"id": "env-1", "phase": phase, "stage": stage or ""})

    def job(_: Request) -> Answer:
        return Answer(body=preparing)

    last = ended(a_job(), "succeeded")
    api.on("GET", "/v1/environments/env-1", environment)
    api.on("GET", "/v1/jobs/[^/]+", job)
    api.on("GET", "/v1/jobs/[^/]+/watch", sse(("job", preparing), ("job", last), ("end", {})))
    lines = gw("run", "--no-bundle", "--wait", "--", "a").stderr.splitlines()
    assert [line for line in lines if "env-1" in line] == [
        "tiny-gpt  preparing  env-1  building  resolving",
        "tiny-gpt  preparing  env-1  building  installing: 12 packages",
        "tiny-gpt  preparing  env-1  ready",
    ]


def test_a_key_is_sent_with_every_write_and_the_same_one_again(gw: Gw, api: ApiDouble) -> None:
    api.jobs.update({"job-1": a_job(id="job-1")})
    cancelled = a_job(id="job-1", phase="stopping")
    api.on("POST", "/v1/jobs/job-1/cancel", Answer(body=cancelled))
    api.break_once.add("/v1/jobs/job-1/cancel")
    result = gw("cancel", "job-1")
    first, second = api.sent("POST", "/v1/jobs/job-1/cancel")
    assert result.exit_code == 0
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    gw("cancel", "job-1")
    third = api.sent("POST", "/v1/jobs/job-1/cancel")[-1]
    assert third.headers["idempotency-key"] != first.headers["idempotency-key"]


def test_a_model_is_served_by_a_command(gw: Gw, api: ApiDouble) -> None:
    view: dict[str, Any] = {
        "id": "endpoint-1",
        "name": "tiny-gpt",
        "phase": "zero",
        "model": "tiny-gpt:3",
        "url": "http://127.0.0.1:8485/v1",
        "message": "",
    }
    api.on("POST", "/v1/endpoints", Answer(status=201, body=view))
    result = gw(
        "serve", "tiny-gpt@prod", "--no-bundle", "--max-replicas", "2", "--", "python", "s.py"
    )
    assert api.requests[-1].json == {
        "name": "tiny-gpt",
        "model": "tiny-gpt@prod",
        "command": ["python", "s.py"],
        "replicas": {"max": 2},
        "bundle": "",
    }
    assert result.stdout == "endpoint-1\n"
    assert result.stderr == ("tiny-gpt is zero at http://127.0.0.1:8485/v1, model tiny-gpt:3\n")


def test_the_files_of_a_model_are_pushed_together_and_then_registered(
    gw: Gw, api: ApiDouble
) -> None:
    Path("out/deep").mkdir(parents=True)
    Path("out/a.dat").write_bytes(b"a")
    Path("out/deep/b.dat").write_bytes(b"b")
    version = {"ref": "tiny:1", "size_bytes": 2, "digest": "sha256:0"}
    api.on("POST", "/v1/models", Answer(status=201, body=version))
    result = gw("models", "push", "tiny", "out", "--alias", "prod", "--metric", "loss=2.5")
    puts = [each.path.split("/")[2] for each in api.requests if each.method == "PUT"]
    manifest = list(api.artifacts.values())[-1]
    assert puts == ["packs", "artifacts"]
    assert [api.artifacts[sha256(data)] for data in (b"a", b"b")] == [b"a", b"b"]
    assert [file["path"] for file in json.loads(manifest)["files"]] == ["a.dat", "deep/b.dat"]
    assert api.requests[-1].json == {
        "name": "tiny",
        "digest": sha256(manifest),
        "aliases": ["prod"],
        "metrics": {"loss": 2.5},
    }
    assert result.stdout == "tiny:1\n"


def test_pickles_are_pushed_only_when_asked_for(gw: Gw, api: ApiDouble) -> None:
    Path("out").mkdir()
    Path("out/model.pt").write_bytes(b"x")
    result = gw("models", "push", "tiny", "out")
    assert result.exit_code == 2
    assert "out holds pickles: model.pt" in result.stderr
    assert "convert them to safetensors" in result.stderr
    assert not api.requests
    version = {"ref": "tiny:1", "size_bytes": 1, "digest": "sha256:0"}
    api.on("POST", "/v1/models", Answer(status=201, body=version))
    assert gw("models", "push", "tiny", "out", "--allow-pickle").stdout == "tiny:1\n"


def test_an_environment_that_fails_is_told_in_the_resolvers_words(gw: Gw, api: ApiDouble) -> None:
    view: dict[str, Any] = {
        "id": "env-1",
        "phase": "failed",
        "stage": "",
        "message": "Because nosuch was not found, your requirements are unsatisfiable.",
        "build_ms": 0,
    }
    api.on("POST", "/v1/environments", Answer(status=201, body=view))
    api.on("GET", "/v1/environments/env-1", Answer(body=view))
    result = gw("env", "build", "nosuch")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == ["error: env-1 could not be built", view["message"]]


def test_a_bundle_over_the_limit_of_the_api_is_told(gw: Gw, api: ApiDouble) -> None:
    Path("train.py").write_text("print(1)\n")
    too_large = problem(413, "too-large", "over the limit of 10 bytes", hint="leave data out")
    api.on("PUT", "/v1/artifacts/[^/]+", too_large)
    result = gw("run", "--", "python", "train.py")
    assert result.exit_code == 2
    assert result.stderr == "error: over the limit of 10 bytes\nhint: leave data out\n"


def test_jobs_of_one_file_are_sent_after_those_they_name(gw: Gw, api: ApiDouble) -> None:
    Path("jobs.yaml").write_text(
        "name: eval\ncommand: 'true'\nafter: [train]\n---\nname: train\ncommand: 'true'\n"
    )
    gw("run", "jobs.yaml")
    assert [job["name"] for job in sent(api)] == ["train", "eval"]


def test_jobs_that_come_after_each_other_are_refused_and_nothing_is_sent(
    gw: Gw, api: ApiDouble
) -> None:
    Path("jobs.yaml").write_text(
        "name: a\ncommand: 'true'\nafter: [b]\n---\nname: b\ncommand: 'true'\nafter: [a]\n"
    )
    result = gw("run", "jobs.yaml")
    assert result.exit_code == 2
    assert "a -> b -> a" in result.stderr
    assert sent(api) == []
