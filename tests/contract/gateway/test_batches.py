"""Files and batches by OpenAI's own client: to the end, cancelled, wrong, another tenant's, after a kill, beside others."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Batch

from gigawatt.gateway.batch_store import BatchStore, batches_dir
from tests import waiting
from tests.contract.gateway.site import CHAT, KEYS, OTHER_KEY, VIEWER_KEY, Site, endpoint, key

pytestmark = pytest.mark.slow

ENDED = {"completed", "failed", "expired", "cancelled"}
PROJECT_KEY = "sk-project"


def line(n: int, **body: Any) -> dict[str, Any]:
    asked = {"model": "tiny-gpt", "messages": [{"role": "user", "content": f"{n}"}], **body}
    return {"custom_id": f"line-{n}", "method": "POST", "url": CHAT, "body": asked}


def jsonl(lines: Iterable[object]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def begin(client: openai.OpenAI, content: bytes, **more: Any) -> Batch:
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    fields: dict[str, Any] = {"endpoint": CHAT, "completion_window": "24h", **more}
    return client.batches.create(input_file_id=file.id, **fields)


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    def look() -> Batch | None:
        now = client.batches.retrieve(batch.id)
        return now if now.status in ENDED else None

    return waiting.until(look, timeout_s=60, what="the batch's end")


def read(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


def test_every_line_is_answered_once_in_order_and_billed_once(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        batch = begin(client, jsonl(line(n) for n in range(100)), metadata={"for": "test"})
        assert (batch.status, batch.metadata) == ("validating", {"for": "test"})
        done = ended(client, batch)
        assert (done.status, done.error_file_id) == ("completed", None)
        assert done.request_counts is not None
        assert done.request_counts.model_dump() == {"total": 100, "completed": 100, "failed": 0}
        answers = read(client, done.output_file_id)
        assert [each["custom_id"] for each in answers] == [f"line-{n}" for n in range(100)]
        reply = answers[0]["response"]
        assert (reply["status_code"], answers[0]["error"]) == (200, None)
        assert reply["body"]["choices"][0]["message"]["content"] == "one two three four"
        assert [each.id for each in client.batches.list()] == [batch.id]
        assert {each.purpose for each in client.files.list()} == {"batch", "batch_output"}
    assert len(replica.received) == 100
    usage = site.control.usage
    site.until(lambda: usage.total("requests") == 100)
    assert (usage.total("completion_tokens"), usage.total("cached_tokens")) == (400, 300)


def test_a_gateway_that_ends_in_the_middle_goes_on_and_bills_nothing_twice(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        batch = begin(client, jsonl(line(n) for n in range(200)))
        site.until(lambda: len(replica.received) >= 20)
    site.stop_gateway(within_s=0.0)
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        done = ended(client, batch)
        ids = [each["custom_id"] for each in read(client, done.output_file_id)]
    assert ids == [f"line-{n}" for n in range(200)]
    site.until(lambda: site.control.usage.total("requests") == 200)


def test_what_fails_is_in_the_error_file_and_not_billed(site: Site) -> None:
    replica = site.replica()
    replica.behaviour = replica.refuse_properly
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        done = ended(client, begin(client, jsonl([line(1), line(2, model="tiny-gtp")])))
        assert (done.status, done.output_file_id) == ("completed", None)
        first, second = read(client, done.error_file_id)
        assert first["response"]["status_code"] == 400
        assert second["response"]["body"]["error"]["code"] == "model_not_found"
    assert site.control.usage.total("requests") == 0


def test_a_file_that_is_wrong_is_told_line_by_line(site: Site) -> None:
    site.start(endpoint())
    wrong = b"not json\n" + jsonl(
        [line(1), line(1), {**line(2), "url": "/v1/x"}, line(3, stream=True)]
    )
    with site.openai() as client:
        failed = ended(client, begin(client, wrong))
        assert failed.status == "failed"
        assert failed.errors is not None
        assert failed.errors.data is not None
        told = [(each.line, each.code) for each in failed.errors.data]
        assert told == [
            (1, "invalid_json_line"),
            (3, "duplicate_custom_id"),
            (4, "invalid_request"),
            (5, "invalid_request"),
        ]


def test_a_batch_is_cancelled_and_keeps_what_it_has(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port), concurrency=1))
    with site.openai() as client:
        batch = begin(client, jsonl(line(n) for n in range(2_000)))
        site.until(lambda: len(replica.received) >= 3)
        with pytest.raises(openai.ConflictError, match="cancel that first"):
            client.files.delete(batch.input_file_id)
        assert client.batches.cancel(batch.id).status == "cancelling"
        done = ended(client, batch)
        assert done.status == "cancelled"
        assert 0 < len(read(client, done.output_file_id)) < 2_000
        with pytest.raises(openai.ConflictError, match="has ended"):
            client.batches.cancel(batch.id)
        assert client.files.delete(batch.input_file_id).deleted


def test_nothing_of_a_tenant_or_a_project_is_seen_by_others(site: Site) -> None:
    site.keys = [*KEYS, key(PROJECT_KEY, "acme", "developer", project="acme/other")]
    site.start(endpoint())
    with site.openai() as client:
        batch = begin(client, jsonl([line(1)]))
    for stranger in (OTHER_KEY, PROJECT_KEY):
        with site.openai(stranger) as client:
            assert list(client.files.list()) == []
            assert list(client.batches.list()) == []
            for ask in (
                lambda client=client: client.files.retrieve(batch.input_file_id),
                lambda client=client: client.files.content(batch.input_file_id),
                lambda client=client: client.files.delete(batch.input_file_id),
                lambda client=client: client.batches.retrieve(batch.id),
                lambda client=client: client.batches.cancel(batch.id),
                lambda client=client: client.batches.create(
                    input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h"
                ),
            ):
                with pytest.raises(openai.NotFoundError):
                    ask()
    with site.openai(VIEWER_KEY) as client, pytest.raises(openai.PermissionDeniedError):
        client.files.list()


def test_online_requests_go_first_and_find_a_place_free(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port), concurrency=4))
    site.clear(replica.gate)
    with site.openai() as client:
        batch = begin(client, jsonl(line(n) for n in range(50)))
        site.until(lambda: len(replica.received) == 3)  # of four places
        assert (site.in_flight(), site.queued()) == (0, 0)
        site.set(replica.gate)
        assert ended(client, batch).status == "completed"


def test_an_endpoint_at_zero_is_woken_by_a_batch(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint())
    with site.openai() as client:
        batch = begin(client, jsonl([line(1)]))
        site.until(lambda: any(each["queued"] for each in site.control.demands))
        site.publish(endpoint(("replica-1", replica.server.port)))
        assert ended(client, batch).status == "completed"


def test_a_window_that_is_over_leaves_the_rest_as_expired(site: Site) -> None:
    site.start(endpoint(phase="ready"))
    with site.openai() as client:
        batch = begin(client, jsonl([line(1)]), completion_window="1m")
        store = BatchStore(batches_dir(site.running_spool), new_id="spool-x")
        store.move_batch(batch.id, "validating", {"expires_at": 1})
        store.close()
        done = ended(client, batch)
        assert done.status == "expired"
        (told,) = read(client, done.error_file_id)
        assert told["error"]["code"] == "batch_expired"


def test_wrong_requests_are_told_what_is_wrong(site: Site) -> None:
    site.start(endpoint())
    with site.openai() as client:
        for fields, param in (
            ({"endpoint": "/v1/images"}, "endpoint"),
            ({"completion_window": "1s"}, "completion_window"),
            ({"metadata": {"a": "x" * 600}}, "metadata"),
        ):
            with pytest.raises(openai.BadRequestError) as caught:
                begin(client, jsonl([line(1)]), **fields)
            assert caught.value.param == param
        with pytest.raises(openai.BadRequestError, match="batch"):
            client.files.create(file=("a", b"x"), purpose="fine-tune")
        with pytest.raises(openai.BadRequestError, match="multipart/form-data"):
            client.post("/files", body={"purpose": "batch"}, cast_to=object)


def test_the_store_keeps_one_answer_of_a_line(tmp_path: Path) -> None:
    store = BatchStore(tmp_path, new_id="spool-1")
    assert store.record("b", 1, b"first", None)
    assert not store.record("b", 1, b"second", None)
    assert store.results("b", good=False) == b"first\n"
    store.close()
    again = BatchStore(tmp_path, new_id="spool-2")
    assert again.answered("b") == {1}
    again.close()
