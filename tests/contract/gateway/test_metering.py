"""Every answered request is counted once, whatever is killed and whatever is told twice; and limits are held to."""

import json

import openai
import pytest

from gigawatt.gateway.spool import SpoolReader
from tests.contract.gateway.site import ASK, CHAT, KEY, KEYS, MESSAGES, Site, endpoint, key, post

pytestmark = pytest.mark.slow


def started(site: Site, **limits: int) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    if limits:
        site.keys = [key(KEY, "acme", "developer", allowance=limits), *KEYS[1:]]
        site.publish(endpoint(("replica-1", replica.server.port)))


def ask(site: Site, **more: object) -> dict[str, str]:
    """The reply's headers."""
    with site.openai() as client:
        raw = client.chat.completions.with_raw_response
        return dict(raw.create(model="tiny-gpt", messages=MESSAGES, extra_body=more).headers)


def test_requests_and_streams_are_counted_by_what_the_replica_states(site: Site) -> None:
    started(site)
    ask(site)
    with site.openai() as client:
        words = [
            chunk.choices[0].delta.content
            for chunk in client.chat.completions.create(
                model="tiny-gpt", messages=MESSAGES, stream=True
            )
        ]
        client.embeddings.create(model="tiny-gpt", input="x", encoding_format="float")
    assert words == ["one", "two", "three", "four"]
    usage = site.control.usage
    site.until(lambda: usage.total("requests") == 3)
    assert usage.total("prompt_tokens", key=f"key-{KEY}", endpoint="endpoint-1") == 7 + 7 + 5
    assert usage.total("cached_tokens", model="tiny-gpt", tenant="acme") == 6
    assert usage.total("completion_tokens") == 8


def test_a_report_whose_acknowledgement_is_lost_counts_once(site: Site) -> None:
    started(site)
    site.control.acknowledging = False
    ask(site)
    site.until(lambda: site.control.usage.total("requests") == 1)
    ask(site)
    site.until(lambda: site.control.usage.total("requests") == 2)
    site.control.acknowledging = True
    ask(site)
    site.until(lambda: site.control.usage.total("requests") == 3)
    assert site.control.usage.total("prompt_tokens") == 21


def test_what_was_counted_while_the_control_plane_was_away_is_caught_up_with(site: Site) -> None:
    started(site)
    site.call(site.control.server.stop())
    for _ in range(5):
        ask(site)
    site.call(site.control.server.start())
    site.until(lambda: site.control.usage.total("requests") == 5)


def test_a_spool_that_is_told_whole_is_removed_once_its_gateway_has_ended(site: Site) -> None:
    started(site)
    ask(site)
    spools = site.config_file.parent / "spool"
    (first,) = spools.glob("*.spool")
    site.call(site.control.server.stop())
    site.stop_gateway()
    reader = SpoolReader(first)
    assert [row.counts for row in reader.rows()] == [(1, 7, 3, 4)]
    reader.close()
    site.call(site.control.server.start())
    site.start_alone()
    site.until(lambda: not first.exists())
    assert site.control.usage.total("requests") == 1
    assert first.name.removesuffix(".spool") in site.control.usage.closed


def test_a_request_that_was_refused_by_its_replica_is_not_billed(site: Site) -> None:
    replica = site.replica()
    replica.behaviour = replica.refuse_properly
    site.start(endpoint(("replica-1", replica.server.port)))
    with pytest.raises(openai.BadRequestError):
        ask(site)
    replica.behaviour = replica.answer
    ask(site)
    site.until(lambda: site.control.usage.total("requests") > 0)
    assert site.control.usage.total("requests") == 1


def test_a_limit_is_told_in_openais_shape_and_in_headers(site: Site) -> None:
    started(site, requests_per_s=2, tokens_per_min=1_000_000)
    site.until(lambda: "x-ratelimit-limit-requests" in ask(site))
    with site.openai() as client:
        raw = client.chat.completions.with_raw_response
        seen: list[int] = []
        with pytest.raises(openai.RateLimitError) as caught:
            for _ in range(200):
                reply = raw.create(model="tiny-gpt", messages=MESSAGES)
                seen.append(int(reply.headers["x-ratelimit-remaining-requests"]))
    assert set(seen) <= {0, 1}
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.json()["error"]["type"] == "rate_limit_error"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_requests_at_once_are_limited_and_free_again_when_a_client_leaves(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.word_gate)
    site.keys = [key(KEY, "acme", "developer", allowance={"concurrent": 1}), *KEYS[1:]]
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.socket() as first:
        first.sendall(post(CHAT, {**ASK, "stream": True}))
        site.until(lambda: site.in_flight() == 1)
        with pytest.raises(openai.RateLimitError):
            ask(site)
    site.until(lambda: site.in_flight() == 0)
    site.set(replica.word_gate)
    ask(site)


def test_a_spent_budget_refuses_until_the_month_is_over(site: Site) -> None:
    started(site, tokens_per_month=20)
    ask(site)  # 11
    site.control.spent = [{"subject": f"key-{KEY}", "tokens": 0}]

    def refused() -> bool:
        try:
            ask(site)
        except openai.RateLimitError as error:
            return error.code == "insufficient_quota"
        return False

    site.until(refused)


def test_the_body_of_a_report_is_what_the_api_takes(site: Site) -> None:
    from gigawatt.spec.requests import parse_request
    from gigawatt.spec.usage import TokenReport

    started(site)
    ask(site)
    site.until(lambda: bool(site.control.usage.bodies))
    for body in site.control.usage.bodies:
        assert parse_request(TokenReport, json.dumps(body)).report >= 1
