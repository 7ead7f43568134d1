"""Between gateway and control plane: configurations down, demand up, and life without it."""

import asyncio
import json
import stat
import time

import pytest

from gigawatt.gateway.limits import Limits
from tests.contract.gateway.http_server import Received, Reply
from tests.contract.gateway.replica_double import WORDS
from tests.contract.gateway.site import MESSAGES, Site, endpoint

pytestmark = pytest.mark.slow


def ask(site: Site, *, stream: bool = False) -> None:
    with site.openai() as client:
        if stream:
            list(client.chat.completions.create(model="tiny-gpt", messages=MESSAGES, stream=True))
        else:
            client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)


def total(site: Site, field: str) -> int:
    return sum(demand[field] for demand in site.control.demands)


def test_the_configuration_is_on_disk_for_its_owner_alone(site: Site) -> None:
    site.start(endpoint())
    site.until(site.config_file.exists)
    site.until(lambda: json.loads(site.config_file.read_text()) == site.control.document)
    assert stat.S_IMODE(site.config_file.stat().st_mode) == 0o600
    there = {file.name for file in site.config_file.parent.iterdir()}
    assert there == {"config.json", "spool"}


def test_a_change_comes_at_once_and_not_by_asking_often(site: Site) -> None:
    site.start(endpoint())
    for n in range(5):
        site.publish(endpoint(queue_max=n + 1))
    assert len(site.control.polls) < 12
    assert site.control.polls[0] == {"wait_s": "0"}
    assert all(poll["wait_s"] == "20" for poll in site.control.polls[1:])


def test_without_a_control_plane_it_starts_from_disk_and_catches_up_later(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    site.until(site.config_file.exists)
    site.stop_gateway()
    site.call(site.control.server.stop())
    site.control.reports.clear()

    site.start_alone()
    for _ in range(3):
        ask(site)
    ask(site, stream=True)
    assert site.control.reports == []

    site.call(site.control.server.start())
    site.until(lambda: total(site, "requests_more") == 4)
    assert total(site, "prompt_tokens_more") == 4 * 7
    assert total(site, "completion_tokens_more") == 4 * len(WORDS)
    site.publish(endpoint(("replica-1", replica.server.port), queue_max=3))


def test_without_any_configuration_it_is_alive_and_not_ready(site: Site) -> None:
    site.call(site.control.server.stop())
    site.start_alone()
    with site.openai() as client:
        for path, status in (("/health", 200), ("/readyz", 503), ("/v1/models", 503)):
            url = f"http://127.0.0.1:{site.port}{path}"
            assert client._client.get(url).status_code == status
    site.call(site.control.server.start())
    site.until(lambda: site.revision == site.control.document["revision"])


def test_a_damaged_file_is_passed_over(site: Site) -> None:
    site.config_file.parent.mkdir()
    site.config_file.write_bytes(b'{"revision": 1, "keys": [{')
    site.start(endpoint())
    assert site.revision == site.control.document["revision"]


def test_a_configuration_that_cannot_be_used_changes_nothing(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    revision = site.revision
    bad = site.document({**endpoint(), "concurrency": 0})
    site.call(site.control.publish(bad))
    site.until(lambda: not site.running.gateway.control_up)
    ask(site)
    assert site.revision == revision
    site.publish(endpoint(("replica-1", replica.server.port)))


def test_a_control_plane_that_begins_again_at_a_lower_revision_is_followed(site: Site) -> None:
    site.start(endpoint())
    site.publish(endpoint(queue_max=7))
    document = {**site.control.document, "revision": 0}
    site.call(site.control.server.stop())
    site.call(site.control.publish(document))
    site.call(site.control.server.start())
    site.until(lambda: site.revision == 0)


def test_usage_is_counted_for_whole_replies_and_streams(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    ask(site)
    ask(site, stream=True)
    site.until(lambda: total(site, "requests_more") == 2)
    assert total(site, "prompt_tokens_more") == 2 * 7
    assert total(site, "completion_tokens_more") == 2 * len(WORDS)
    assert site.control.demands[-1]["last_request_ms"] > 0


def test_what_was_not_acknowledged_is_told_again_and_what_was_is_not(site: Site) -> None:
    replica = site.replica()
    limits = Limits(report_s=0.02, report_idle_s=0.1)
    site.start(endpoint(("replica-1", replica.server.port)), limits=limits)
    site.control.acknowledging = False
    ask(site)
    site.until(lambda: [demand["requests_more"] for demand in site.control.demands].count(1) >= 2)
    site.control.acknowledging = True
    site.until(lambda: site.control.demands[-1]["requests_more"] == 0)
    told = total(site, "requests_more")
    ask(site)
    site.until(lambda: total(site, "requests_more") == told + 1)


def test_a_request_between_two_reports_is_told_with_the_time_that_it_took(site: Site) -> None:
    replica = site.replica()
    delay_s = 0.05

    async def slow(received: Received, reply: Reply) -> None:
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(delay_s, passed.set)
        await passed.wait()
        await replica.answer(received, reply)

    replica.behaviour = slow
    limits = Limits(report_s=5.0, report_idle_s=0.2)
    site.start(endpoint(("replica-1", replica.server.port)), limits=limits)
    began_s = time.monotonic()
    ask(site)
    took_ms = (time.monotonic() - began_s) * 1000
    site.until(lambda: total(site, "requests_more") == 1)
    busy_ms = [demand["busy_ms_more"] for demand in site.control.demands]
    told = [each["replica-1"] for each in busy_ms if each]
    assert delay_s * 1000 - 1 <= sum(told) <= took_ms + 1
    assert all(demand["in_flight"] == 0 for demand in site.control.demands)


def test_an_idle_endpoint_is_still_told_of_now_and_then(site: Site) -> None:
    site.start(endpoint(), limits=Limits(report_s=0.05, report_idle_s=0.2))
    site.until(lambda: len(site.control.demands) >= 3)
    assert site.control.demands[-1] == {
        "id": "endpoint-1",
        "in_flight": 0,
        "queued": 0,
        "last_request_ms": 0,
        "requests_more": 0,
        "prompt_tokens_more": 0,
        "completion_tokens_more": 0,
        "busy_ms_more": {},
        "backlog_tokens": 0,
        "ttft_ms": 0,
        "tpot_ms": 0,
        "cache_percent": 0,
        "open": [],
        "revisions": {},
    }


def test_a_new_token_in_the_file_is_taken_up(site: Site) -> None:
    token = site.token_file.read_text()
    site.token_file.write_text("wrong")
    site.start_alone()
    site.token_file.write_text(token + "\n")
    site.until(lambda: site.revision == site.control.document["revision"])
