"""The Python client over real HTTP, where the CLI does not go."""

from collections.abc import Iterator

import pytest

import gigawatt as gw
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError, JobFailedError
from gigawatt.sdk.jobhandle import Job
from tests.surface.cli.double import (
    NOW_MS,
    TOKEN,
    Answer,
    ApiDouble,
    a_job,
    ended,
    log,
    problem,
    sse,
)


@pytest.fixture
def client(api: ApiDouble) -> Iterator[Client]:
    with Client(api.url, TOKEN, environ={}) as found:
        yield found


def test_the_client_is_a_name_of_the_package() -> None:
    assert (gw.Client, gw.Job, gw.ApiError) == (Client, Job, ApiError)


def test_a_job_is_submitted_from_keywords_and_waited_for(api: ApiDouble, client: Client) -> None:
    last = ended(a_job(id="job-1mfsxp000abcdefgh"), "succeeded")
    api.on("GET", "/v1/jobs/[^/]+/watch", sse(("job", last), ("end", {})))
    job = client.submit(command=["python", "train.py"], gang={"nodes": 2})
    assert api.requests[-1].json == {"command": ["python", "train.py"], "gang": {"nodes": 2}}
    assert repr(job) == "<Job train job-1mfsxp000abcdefgh queued>"
    assert job.wait().view == last


def test_waiting_for_a_job_that_fails_raises_unless_told_not_to(
    api: ApiDouble, client: Client
) -> None:
    last = ended(a_job(), "failed", message="exit code 3")
    api.jobs[last["id"]] = last
    with pytest.raises(JobFailedError, match="exit code 3") as error:
        client.job("tiny-gpt").wait()
    assert error.value.phase == "failed"
    assert client.job("tiny-gpt").wait(check=False).phase == "failed"


def test_waiting_ends_at_its_deadline(api: ApiDouble, client: Client) -> None:
    api.jobs["job-1"] = a_job(id="job-1")
    api.on("GET", "/v1/jobs/job-1/watch", sse(("job", a_job(id="job-1"))))
    with pytest.raises(TimeoutError):
        client.job("job-1").wait(timeout_s=0.05)


def test_logs_are_bytes(api: ApiDouble, client: Client) -> None:
    api.jobs["job-1"] = a_job(id="job-1")
    api.on("GET", "/v1/jobs/job-1/logs", log(b"\x00\xff\n", offset=7))
    assert b"".join(client.job("job-1").logs(rank=1, offset=7)) == b"\x00\xff\n"
    assert api.requests[-1].query == {"rank": ["1"], "stream": ["stdout"], "offset": ["7"]}


def test_a_refusal_carries_the_whole_problem(api: ApiDouble, client: Client) -> None:
    api.on("POST", "/v1/jobs", problem(422, "impossible", "too big", field="gang.nodes", hint="h"))
    with pytest.raises(ApiError, match="too big") as error:
        client.submit(command="true")
    problem_ = error.value.problem
    assert (problem_.status, problem_.code, problem_.field) == (422, "impossible", "gang.nodes")
    assert error.value.hint == "h"


def test_an_api_that_is_not_ready_is_waited_for(api: ApiDouble, client: Client) -> None:
    answers = iter([problem(503, "unavailable", "starting"), Answer(body={"name": "admin"})])
    api.on("GET", "/v1/whoami", lambda _: next(answers))
    assert client.whoami()["name"] == "admin"


def test_every_page_of_a_list_is_read(api: ApiDouble, client: Client) -> None:
    api.jobs.update({f"job-{number}": a_job(id=f"job-{number}") for number in range(5)})
    assert [job["id"] for job in client.jobs.list(limit=2)] == [f"job-{n}" for n in range(5)]
    assert len(api.sent("GET", "/v1/jobs")) == 3


def test_a_project_is_sent_where_names_are_looked_for(api: ApiDouble) -> None:
    with Client(api.url, TOKEN, environ={"GIGAWATT_PROJECT": "nlp"}) as client:
        client.submit(command="true")
        assert api.requests[-1].query == {"project": ["nlp"]}
        with pytest.raises(ApiError):
            client.job("none")
        assert api.requests[-1].query == {"project": ["nlp"]}


def test_events_are_watched_from_the_one_after_the_last_seen(
    api: ApiDouble, client: Client
) -> None:
    def chunk(seq: int) -> bytes:
        data = f'{{"seq": {seq}, "at_ms": {NOW_MS}}}'
        return f"id: {seq}\nevent: job.running\ndata: {data}\n\n".encode()

    headers = {"Content-Type": "text/event-stream"}
    streams = iter(
        [
            Answer(chunks=(b": alive\n\n", chunk(7), chunk(8)), headers=headers, cut=True),
            Answer(chunks=(chunk(9),), headers=headers),
        ]
    )
    api.on("GET", "/v1/events/watch", lambda _: next(streams))
    watched = client.events.watch(after=6)
    assert [next(watched)["seq"] for _ in range(3)] == [7, 8, 9]
    first, second = api.sent("GET", "/v1/events/watch")
    assert (first.query, second.query) == ({"after": ["6"]}, {"after": ["8"]})
    assert second.headers["last-event-id"] == "8"


def test_a_reference_cannot_leave_its_place_in_the_path(api: ApiDouble, client: Client) -> None:
    with pytest.raises(ApiError):
        client.job("../keys?x=1")
    assert api.requests[0].path == "/v1/jobs/..%2Fkeys%3Fx%3D1"
