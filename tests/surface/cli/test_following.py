"""Logs and watching: as they come, through broken connections and every attempt."""

import json
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import (
    Answer,
    ApiDouble,
    Request,
    a_job,
    a_rank,
    an_attempt,
    ended,
    log,
    sse,
)


def serve_logs(api: ApiDouble, written: dict[tuple[int, int, str], bytes]) -> None:
    """Whole logs by attempt, rank and stream, from any offset."""

    def read(request: Request) -> Answer:
        query = {name: values[0] for name, values in request.query.items()}
        key = (int(query.get("attempt", "1")), int(query["rank"]), query["stream"])
        data = written.get(key, b"")
        asked = int(query.get("offset", "0"))
        offset = max(0, len(data) + asked) if asked < 0 else asked
        return log(data[offset:], offset=offset)

    api.on("GET", "/v1/jobs/[^/]+/logs", read)


def put(api: ApiDouble, job: dict[str, Any]) -> None:
    api.jobs[job["id"]] = job


def test_a_ranks_streams_are_printed_to_the_same_streams(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    serve_logs(api, {(1, 0, "stdout"): b"one\ntw\xc3\xb6", (1, 0, "stderr"): b"oh\n"})
    result = gw("logs", "tiny-gpt")
    assert (result.stdout_bytes, result.stderr_bytes) == (b"one\ntw\xc3\xb6", b"oh\n")
    assert gw("logs", "tiny-gpt", "--stream", "stderr").stdout == ""


def test_lines_of_several_ranks_begin_with_their_rank(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    serve_logs(api, {(1, 0, "stdout"): b"a\nb", (1, 1, "stdout"): b"c\n"})
    result = gw("logs", "tiny-gpt", "--rank", "all", "--stream", "stdout")
    assert result.stdout.splitlines() == ["0 │ a", "1 │ c", "0 │ b"]


def test_lines_as_json_say_whose_they_are(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    serve_logs(api, {(1, 1, "stderr"): b"oh\n"})
    result = gw("logs", "tiny-gpt", "--rank", "1", "-o", "json")
    assert json.loads(result.stdout) == {"attempt": 1, "rank": 1, "stream": "stderr", "line": "oh"}


def test_a_tail_is_the_last_lines_whatever_their_length(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    lines = [b"%d %s\n" % (number, b"x" * 3_000) for number in range(50)]
    serve_logs(api, {(1, 0, "stdout"): b"".join(lines)})
    result = gw("logs", "tiny-gpt", "--tail", "3", "--stream", "stdout")
    assert result.stdout_bytes == b"".join(lines[-3:])
    assert gw("logs", "tiny-gpt", "--tail", "0", "--stream", "stdout").stdout == ""


def test_a_job_that_has_not_run_has_no_logs_yet(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job(phase="queued", attempts=[]))
    result = gw("logs", "tiny-gpt")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "tiny-gpt is queued and has not run yet\n"


def test_following_goes_on_where_the_connection_broke(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    whole = b"".join(b"line %d\n" % number for number in range(100))
    asked: list[int] = []

    def read(request: Request) -> Answer:
        offset = int(request.query.get("offset", ["0"])[0])
        asked.append(offset)
        if offset < 300:
            return log(whole[offset : offset + 150], offset=offset, cut=True)
        put(api, ended(a_job(), "succeeded"))
        return log(whole[offset:], offset=offset)

    api.on("GET", "/v1/jobs/[^/]+/logs", read)
    result = gw("logs", "-f", "tiny-gpt", "--stream", "stdout")
    assert result.stdout_bytes == whole
    assert asked == [0, 150, 300, len(whole)]


def test_a_stream_that_ends_before_its_rank_does_is_taken_up_again(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    parts = iter([b"before the restart\n", b"after it\n"])

    def read(request: Request) -> Answer:
        part = next(parts, b"")
        if part.startswith(b"after"):
            put(api, ended(a_job(), "succeeded"))
        return log(part, offset=int(request.query.get("offset", ["0"])[0]))

    api.on("GET", "/v1/jobs/[^/]+/logs", read)
    result = gw("logs", "-f", "tiny-gpt", "--stream", "stdout")
    assert result.stdout == "before the restart\nafter it\n"


def test_what_was_written_while_the_api_was_away_is_not_missed(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    whole = b"before\nwhile it was away\n"

    def read(request: Request) -> Answer:
        put(api, ended(a_job(), "succeeded"))  # and the API comes back only after that
        offset = int(request.query.get("offset", ["0"])[0])
        return log(whole[offset : 7 if offset == 0 else None], offset=offset)

    api.on("GET", "/v1/jobs/[^/]+/logs", read)
    result = gw("logs", "-f", "tiny-gpt", "--stream", "stdout")
    assert result.stdout_bytes == whole


def test_following_goes_through_every_attempt(gw: Gw, api: ApiDouble) -> None:
    first = ended(a_job(), "failed")
    waiting = {**first, "phase": "queued", "ended_ms": None}
    second = an_attempt(n=2, ranks=[a_rank(0, "local-0"), a_rank(1, "local-1")])
    last = ended({**waiting, "attempts": [*first["attempts"], second]}, "succeeded")
    put(api, waiting)

    def watch(_: Request) -> Answer:
        put(api, last)
        return sse(("job", waiting), ("job", last), ("end", {}))

    api.on("GET", "/v1/jobs/[^/]+/watch", watch)
    serve_logs(api, {(1, 0, "stdout"): b"crash\n", (2, 0, "stdout"): b"done\n"})
    result = gw("logs", "-f", "tiny-gpt")
    assert result.stdout == "crash\ndone\n"
    assert result.stderr == "── attempt 2 ──\n"


def test_watching_prints_each_change_and_fails_with_the_job(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    last = ended(a_job(), "failed", message="rank 1 exited with code 1")
    api.on("GET", "/v1/jobs/[^/]+/watch", sse(("job", a_job()), ("job", last), ("end", {})))
    people, programs = gw("watch", "tiny-gpt"), gw("watch", "tiny-gpt", "-o", "json")
    assert (people.exit_code, programs.exit_code) == (1, 1)
    assert people.stdout.splitlines() == [
        "tiny-gpt  running  step 120  loss 2.312  8.12k tok/s",
        "tiny-gpt  failed  rank 1 exited with code 1",
    ]
    assert [json.loads(line) for line in programs.stdout.splitlines()] == [a_job(), last]


def test_a_watch_that_breaks_is_taken_up_again(gw: Gw, api: ApiDouble) -> None:
    put(api, a_job())
    begun = sse(("job", a_job()))
    streams = iter(
        [
            Answer(chunks=begun.chunks, headers=begun.headers, cut=True),
            sse(("job", ended(a_job(), "succeeded")), ("end", {})),
        ]
    )
    api.on("GET", "/v1/jobs/[^/]+/watch", lambda _: next(streams))
    result = gw("watch", "tiny-gpt")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "tiny-gpt  succeeded"
