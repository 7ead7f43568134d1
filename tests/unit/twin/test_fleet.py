"""Requests against replicas in virtual time, and what is reported of them."""

import gzip
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.model.scaling import Scaling
from gigawatt.twin.fleet import Fleet, Moment, ReplicaModel
from gigawatt.twin.playback import Objective, Played, report_of
from gigawatt.twin.requests import Cut, Request, poisson, read_requests
from gigawatt.twin.scaler import Autoscaler

MODEL = ReplicaModel(concurrency=1, prefill_tokens_s=100, tpot_s=0.1, start_s=10, tick_s=1)


class Constant:
    def __init__(self, replicas: int) -> None:
        self._replicas = replicas

    def wanted(self, moment: Moment) -> int:
        return self._replicas


def request(at_s: float) -> Request:
    return Request(at_s=at_s, prompt_tokens=100, completion_tokens=10)


def test_a_replica_answers_one_after_another() -> None:
    fleet = Fleet(MODEL, Constant(1), start=1)
    paid_s = fleet.run([request(0), request(0.5)])
    # A second for the prompt and one for the tokens; the second waits for the first.
    assert [(each.ttft_s, each.end_s) for each in fleet.played] == [(1, 2), (2.5, 3.5)]
    assert paid_s == pytest.approx(4)
    assert fleet.cold_starts == 0


def test_from_zero_all_wait_for_one_start() -> None:
    fleet = Fleet(MODEL, Autoscaler(MODEL, None), start=0)
    fleet.run([request(0.5), request(0.6)])
    assert fleet.cold_starts == 2  # two replicas of one request each
    assert [each.ttft_s for each in fleet.played] == pytest.approx([11.5, 11.4])


def test_a_replica_that_is_let_go_of_answers_what_it_has() -> None:
    class Once:
        def wanted(self, moment: Moment) -> int:
            return 2 if moment.now_s < 1 else 1

    fleet = Fleet(MODEL, Once(), start=2)
    paid_s = fleet.run([request(0.1), request(0.2)])
    assert [each.end_s for each in fleet.played] == pytest.approx([2, 2])
    assert paid_s == pytest.approx(2.1 + 2.2, abs=0.2)


def test_production_follows_a_load_up_and_down() -> None:
    model = ReplicaModel(concurrency=4, start_s=5)
    load = poisson(rate=20, count=4000, prompt_tokens=200, completion_tokens=50, seed=3)
    late = Request(at_s=load[-1].at_s + 400, prompt_tokens=1, completion_tokens=1)
    runs: list[tuple[float, int]] = []
    for _ in range(2):
        fleet = Fleet(model, Autoscaler(model, Scaling(), least=1), start=1)
        runs.append((fleet.run([*load, late]), fleet.cold_starts))
        ttft_s = sorted(each.ttft_s for each in fleet.played)
        assert ttft_s[len(ttft_s) // 2] < 0.5
    assert runs[0] == runs[1]
    busy_s = sum(each.completion_tokens for each in load) * model.tpot_s / 4
    assert busy_s < runs[0][0] < 4 * busy_s + 400


def test_a_report_counts_what_was_good() -> None:
    played = [
        Played(at_s=0, ttft_s=0.5, end_s=2.5, tokens=21),
        Played(at_s=1, ttft_s=3.0, end_s=4.0, tokens=11),
        Played(at_s=2, error="503"),
    ]
    report = report_of(played, Objective(ttft_s=1, tpot_s=0.2), gpu_seconds=9, cold_starts=1)
    assert (report.requests, report.errors, report.tokens) == (3, 1, 32)
    assert (report.ttft_p50_s, report.ttft_p99_s) == (0.5, 3.0)
    assert report.tpot_p50_s == pytest.approx(0.1)
    assert report.attained == pytest.approx(1 / 3, abs=1e-6)
    assert report.goodput == pytest.approx(1 / 5, abs=1e-6)


def test_traces_are_read_as_they_are_published(tmp_path: Path) -> None:
    azure = tmp_path / "a.csv.gz"
    azure.write_bytes(
        gzip.compress(
            b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
            b"2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.6805900,396,109\r\n"
        )
    )
    assert read_requests(azure, "azure", Cut(speed=2)) == (
        Request(at_s=0, prompt_tokens=374, completion_tokens=44),
        Request(at_s=2, prompt_tokens=396, completion_tokens=109),
    )
    burst = tmp_path / "b.csv"
    header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    burst.write_text(header + "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,x\n")
    assert len(read_requests(burst, "burstgpt")) == 1
    kimi = tmp_path / "m.jsonl"
    line = '{"timestamp": 3000, "input_length": 9, "output_length": 5, "hash_ids": [0, 7]}\n'
    kimi.write_text(line * 3)
    found = read_requests(kimi, "mooncake", Cut(count=2))
    assert [each.prefix for each in found] == [(0, 7), (0, 7)]
    kimi.write_text(line + "{}\n")
    with pytest.raises(RefusalError, match="request 2"):
        read_requests(kimi, "mooncake")
