"""Serving for real: a model is registered, an endpoint waits at zero, wakes for a request, and goes back."""

import json
import os
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.daily import gw
from tests.surface.server.jobs import View, submit, wait_phase
from tests.waiting import until

pytestmark = pytest.mark.slow

SERVER = textwrap.dedent(
    """
    import json, os, pathlib
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    WORDS = (pathlib.Path(os.environ["GIGAWATT_MODEL_PATH"]) / "words.txt").read_text().split()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(b"{}")

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            usage = {"prompt_tokens": 3, "completion_tokens": len(WORDS), "total_tokens": 3 + len(WORDS)}
            if asked.get("stream"):
                return self.stream(asked)
            message = {"role": "assistant", "content": " ".join(WORDS)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.answer(json.dumps({"id": "1", "object": "chat.completion", "created": 0,
                                    "model": asked["model"], "choices": [choice], "usage": usage}).encode())

        def stream(self, asked):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for word in WORDS:
                choice = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
                chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0,
                         "model": asked["model"], "choices": [choice]}
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\\n\\n")
            self.wfile.write(b"data: [DONE]\\n\\n")
            self.close_connection = True

        def answer(self, body):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
    """
)


@pytest.fixture(scope="module")
def served(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """An endpoint at zero, of a model that a job has made."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "serve.py").write_text(SERVER)
    api = Api(instance)
    words = "mkdir $GIGAWATT_CHECKPOINT_DIR/final && echo to be or not > $GIGAWATT_CHECKPOINT_DIR/final/words.txt"
    job = submit(
        api,
        ["sh", "-c", words],
        model={"name": "parrot", "path": "final", "aliases": ["prod"]},
    )
    view = wait_phase(api, job, "succeeded", "failed")
    assert view["model_version"] == "parrot:1", view
    body = {
        "name": "parrot",
        "model": "parrot@prod",
        "command": ["python3", str(folder / "serve.py")],
        "gang": {"cpus": 0.1},
        "replicas": {"min": 0, "max": 1},
        "idle": "2s",
    }
    status, endpoint = api.call("POST", "/v1/endpoints", body)
    assert status in {200, 201}, endpoint
    yield endpoint
    api.call("DELETE", "/v1/endpoints/parrot")
    api.close()


@pytest.fixture
def client(instance: Instance) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{instance.gateway_url}/v1", api_key=instance.token, max_retries=0
    ) as made:
        yield made


def phase(api: Api, wanted: str) -> View | None:
    _, view = api.call("GET", "/v1/endpoints/parrot")
    return view if view["phase"] == wanted else None


def ask(client: openai.OpenAI) -> str | None:
    reply = client.chat.completions.create(
        model="parrot", messages=[{"role": "user", "content": "say"}]
    )
    return reply.choices[0].message.content


def test_a_request_wakes_an_endpoint_from_zero_and_quiet_sends_it_back(
    api: Api, served: View, client: openai.OpenAI
) -> None:
    until(lambda: phase(api, "zero"), what="the endpoint at zero")
    assert [model.id for model in client.models.list()] == ["parrot"]
    assert ask(client) == "to be or not"
    until(lambda: phase(api, "ready"), what="the endpoint ready")
    until(lambda: phase(api, "zero"), what="the endpoint at zero again")
    assert ask(client) == "to be or not"


def test_streams_arrive_in_pieces(served: View, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="parrot", messages=[{"role": "user", "content": "say"}], stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert pieces == ["to ", "be ", "or ", "not "]


def test_a_killed_replica_is_replaced(api: Api, served: View, client: openai.OpenAI) -> None:
    def killed() -> int | None:
        """The pid of a ready replica that was killed; None if quiet ended it first."""
        ask(client)
        _, view = api.call("GET", "/v1/endpoints/parrot")
        ready = [replica["pid"] for replica in view["replicas_list"] if replica["ready"]]
        try:
            os.kill(ready[0], signal.SIGKILL)
        except (IndexError, ProcessLookupError):
            return None
        return ready[0]

    before = until(killed, what="a replica to kill")

    def replaced() -> bool:
        _, view = api.call("GET", "/v1/endpoints/parrot")
        pids = [replica["pid"] for replica in view["replicas_list"] if replica["ready"]]
        return view["phase"] == "zero" or (bool(pids) and before not in pids)

    until(replaced, what="another process")
    assert ask(client) == "to be or not"


def test_a_wrong_key_and_an_unknown_model_are_told_in_openais_shape(
    instance: Instance, served: View, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="parot", messages=[{"role": "user", "content": "x"}])
    assert unknown.value.code == "model_not_found"
    wrong = openai.OpenAI(base_url=f"{instance.gateway_url}/v1", api_key="gw_wrong", max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError):
        ask(wrong)


def test_tokens_are_counted(api: Api, served: View, client: openai.OpenAI) -> None:
    _, before = api.call("GET", "/v1/endpoints/parrot")
    ask(client)

    def counted() -> bool:
        _, view = api.call("GET", "/v1/endpoints/parrot")
        return view["completion_tokens"] >= before["completion_tokens"] + 4

    until(counted, what="4 more completion tokens")


def test_usage_is_told_by_key_and_endpoint_to_the_token(instance: Instance, served: View) -> None:
    key = json.loads(gw(instance, "keys", "create", "billed", "-o", "json").stdout)
    url = f"{instance.gateway_url}/v1"

    def asked() -> bool:
        """Once the gateway has heard of the key."""
        with openai.OpenAI(base_url=url, api_key=key["key"], max_retries=0) as billed:
            try:
                return ask(billed) == "to be or not"
            except openai.AuthenticationError:
                return False

    def used() -> dict[str, int] | None:
        told = gw(instance, "usage", "--by", "key,endpoint", "-o", "json")
        mine = [each for each in json.loads(told.stdout)["items"] if each["key"] == key["id"]]
        return mine[0] if mine and mine[0]["requests"] == 3 else None

    for _ in range(3):
        until(asked, what="an answer")
    counts = until(used, what="three requests")
    assert counts["endpoint"] == served["id"]
    assert (counts["prompt_tokens"], counts["cached_tokens"]) == (9, 0)
    assert counts["completion_tokens"] == 12


def test_a_model_file_outside_the_jobs_own_directory_is_not_stored(
    api: Api, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    script = f"mkdir $GIGAWATT_CHECKPOINT_DIR/out && ln -s {secret} $GIGAWATT_CHECKPOINT_DIR/out/x"
    job = submit(api, ["sh", "-c", script], model={"name": "thief", "path": "out"})
    view = wait_phase(api, job, "succeeded", "failed")
    assert view["phase"] == "failed"
    assert "not stored" in view["message"]


def test_a_replica_is_talked_to_as_a_rank_is(
    instance: Instance, served: View, client: openai.OpenAI
) -> None:
    def talked() -> bool:
        """Quiet may have ended the replica in between."""
        assert ask(client)
        done = gw(instance, "exec", "endpoint/parrot", "--", "sh", "-c", "echo $GIGAWATT_PORT")
        if done.returncode == 2 and "no replica" in done.stderr:
            return False
        assert (done.returncode, done.stdout.strip().isdecimal()) == (0, True), done.stderr
        return True

    until(talked, what="a command beside a replica")
    wrong = gw(instance, "attach", "endpoint/parrot", "--replica", "none")
    assert (wrong.returncode, "there is no replica none" in wrong.stderr) == (1, True)
