"""A gateway of several workers: what holds across them, and what happens when any of them is killed or replaced."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from tests.contract.gateway.site import KEY, KEYS, MESSAGES, Site, endpoint, key
from tests.contract.gateway.test_process import gateway_process, port_of, ready

pytestmark = pytest.mark.slow

WORKERS = 2


def children(pid: int) -> list[int]:
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


def client(port: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0)


def ask(port: int) -> bool:
    """Whether it was answered, on a connection of its own."""
    try:
        with client(port) as one:
            one.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
    except openai.APIError:
        return False
    return True


def published(site: Site, *replicas: tuple[str, int], **more: object) -> None:
    site.call(site.control.publish(site.document(endpoint(*replicas, **more))))


def test_every_answered_request_is_counted_once_while_workers_are_killed(site: Site) -> None:
    replica = site.replica()
    published(site, ("replica-1", replica.server.port))
    with gateway_process(site, "--workers", str(WORKERS)) as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        stop = threading.Event()

        def load() -> int:
            answered = 0
            while not stop.is_set():
                answered += ask(port)
            return answered

        with ThreadPoolExecutor(4) as threads:
            loads = [threads.submit(load) for _ in range(4)]
            for _ in range(3):
                seen = len(replica.received)
                site.until(lambda seen=seen: len(replica.received) > seen + 20)
                (victim, *_) = site.some(lambda: children(process.pid), WORKERS)
                os.kill(victim, signal.SIGKILL)
            stop.set()
            answered = sum(each.result() for each in loads)
        usage = site.control.usage
        site.until(lambda: usage.total("requests") >= answered)
        process.terminate()
        assert process.wait(20) == 0
    lost_on_their_way = (
        3 * 4
    )  # a kill can take what each client waits for, counted and not answered
    assert answered > 40
    assert (
        answered
        <= usage.total("requests")
        <= min(answered + lost_on_their_way, len(replica.received))
    )
    assert usage.total("prompt_tokens") == 7 * usage.total("requests")


def test_limits_and_concurrency_hold_across_workers(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.gate)
    site.keys = [key(KEY, "acme", "developer", allowance={"concurrent": 6}), *KEYS[1:]]
    published(site, ("replica-1", replica.server.port), concurrency=3)
    with gateway_process(site, "--workers", str(WORKERS)) as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        with ThreadPoolExecutor(16) as threads:
            asked = [threads.submit(ask, port) for _ in range(16)]
            site.until(lambda: sum(each.done() for each in asked) == 10)  # refused: more than 6
            site.until(lambda: len(replica.received) == 3)
            site.set(replica.gate)
            assert sum(each.result() for each in asked) == 6
        assert len(replica.received) == 6
        process.terminate()
        assert process.wait(20) == 0


def test_a_new_version_is_taken_up_without_losing_a_request_or_a_stream(site: Site) -> None:
    replica = site.replica()
    published(site, ("replica-1", replica.server.port))
    with gateway_process(site, "--workers", str(WORKERS)) as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        before = site.some(lambda: children(process.pid), WORKERS)
        site.clear(replica.word_gate)
        with client(port) as one:
            stream = one.chat.completions.create(model="tiny-gpt", messages=MESSAGES, stream=True)
            process.send_signal(signal.SIGHUP)

            def replaced() -> bool:
                assert ask(port), log.read_text()
                return len(set(children(process.pid)) - set(before)) == WORKERS

            site.until(replaced)
            site.set(replica.word_gate)
            words = [chunk.choices[0].delta.content for chunk in stream]
        assert words == ["one", "two", "three", "four"]
        site.until(lambda: not set(children(process.pid)) & set(before))
        assert ask(port)
        process.terminate()
        assert process.wait(20) == 0


def test_workers_serve_while_the_control_plane_is_away_and_are_caught_up_with(site: Site) -> None:
    replica = site.replica()
    published(site, ("replica-1", replica.server.port))
    with gateway_process(site, "--workers", str(WORKERS)) as (process, log):
        port = port_of(site, log)
        site.until(lambda: ready(port))
        site.call(site.control.server.stop())
        (victim, *_) = site.some(lambda: children(process.pid), WORKERS)
        os.kill(victim, signal.SIGKILL)
        site.some(lambda: [each for each in children(process.pid) if each != victim], WORKERS)
        answered = sum(ask(port) for _ in range(10))
        site.call(site.control.server.start())
        site.until(lambda: site.control.usage.total("requests") == answered)
        site.until(lambda: sum(each["requests_more"] for each in site.control.demands) >= answered)
        process.terminate()
        assert process.wait(20) == 0
    assert answered == 10
