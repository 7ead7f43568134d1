"""What an instance did, played again: from its data, and from exports."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gigawatt.control.cycle import Outcome
from gigawatt.model.change import Batch
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalError
from gigawatt.store import open_store
from gigawatt.store.codec import encode
from gigawatt.twin.history import History
from gigawatt.twin.run import Scenario, run
from gigawatt.twin.traces.journal import read_journal
from tests.unit.twin.sites import gpu_site, gpu_work

WORKS = tuple(
    replace(work, user="ada")
    for work in (
        gpu_work(0, 100, gpus=4, limit_s=500, project="vision"),
        gpu_work(30, 60, gpus=2, nodes=2, limit_s=200),
    )
)


class Ended(History):
    """Keeps the jobs as they were when they ended."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []

    def took(self, outcome: Outcome, *, now_ms: int) -> None:
        puts = (put for put in outcome.batch.puts if isinstance(put, Job))
        self.jobs += [put for put in puts if put.ended]


def ended() -> list[Job]:
    watched = Ended()
    run(Scenario(nodes=gpu_site(2), workload=WORKS), watched)
    return watched.jobs


def test_the_data_of_an_instance_is_a_trace(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/gigawatt.db")
    store.migrate()
    epoch = store.lead(holder="test", now_ms=1, lease_ms=10_000)
    store.commit(Batch(puts=[*ended()]), epoch=epoch, now_ms=1)
    store.close()
    assert read_journal(tmp_path).works == WORKS
    assert read_journal(tmp_path / "gigawatt.db", jobs_max=1).works == WORKS[:1]


def test_an_export_is_a_trace_one_job_a_line_or_one_list(tmp_path: Path) -> None:
    jobs = [json.loads(encode(job)) for job in ended()]
    lines, whole = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    whole.write_text(json.dumps({"items": jobs}, indent=2))
    assert read_journal(lines).works == read_journal(whole).works == WORKS


def test_what_the_command_line_prints_of_a_job_is_read_too(tmp_path: Path) -> None:
    shown: dict[str, Any] = {
        "phase": "succeeded",
        "tenant": "default",
        "project": "vision",
        "created_ms": 5_000,
        "attempts": [{"running_ms": 6_000, "ended_ms": 106_000}],
        "gang": {
            "nodes": 1,
            "nodes_min": 1,
            "gpus": 4,
            "cpus": 1,
            "memory_bytes": 0,
            "gpu_kinds": [],
            "same": "",
        },
    }
    file = tmp_path / "a.json"
    file.write_text(json.dumps([shown, {**shown, "attempts": []}]))
    trace = read_journal(file)
    assert trace.works == (gpu_work(0, 100, gpus=4, project="vision"),)
    assert trace.skipped == 1


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('{"phase": "succeeded"}\n', "line 1: attempts is missing"),
        ('{"attempts": []}\n{"attempts": 7}\n', "line 1: phase is missing"),
        ("[1]\n", "line 1: the job is not one of ours"),
        ("{]\n", "line 1: the line is not JSON"),
        ("7\n", "line 1: the line is neither a job nor a list"),
    ],
)
def test_an_export_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, text: str, finding: str
) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(RefusalError) as refused:
        read_journal(file)
    assert finding in refused.value.detail
    assert "gw jobs" in refused.value.hint


def test_a_folder_without_an_instance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match=r"there is no .*gigawatt\.db"):
        read_journal(tmp_path)
    (tmp_path / "gigawatt.db").write_text("no database")
    with pytest.raises(RefusalError, match="cannot read"):
        read_journal(tmp_path)
