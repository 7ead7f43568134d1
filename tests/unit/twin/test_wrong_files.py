"""Wrong scenario and trace files: each is refused with file, line, field and what is allowed, and never with a traceback."""

import gzip
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.twin.cluster import read_cluster
from gigawatt.twin.located import line_of
from gigawatt.twin.scenario import read_scenario
from gigawatt.twin.traces.formats import read_trace

SITE = """\
policy = "default"
[workload]
jobs = 2
[[workload.sizes]]
gpus = 1
[[nodes]]
nodes = 2
cores = 8
gpus = 2
"""
LATE = SITE.count("\n") + 1  # the line of what is appended
PAIRS = ("at=at", "run=run", "gpus=gpus", "memory=memory")


@pytest.mark.parametrize(
    ("more", "said", "field", "allowed"),
    [
        ("[[projects]]\nname = 'a'\n[[projects]]\nname = 'a'", "line 13: project a is there twice", "projects[1].name", ""),
        ("[[projects]]\nname = 'a b'", "line 11: projects.0.name is not allowed", "projects.0.name", "of a-z"),
        ("[[projects]]\nname = 'a'\nparent = 'b'", "line 12: project a is part of b", "projects[0].parent", ""),
        ("[failures]\nmean_between = '1s'", "line 11: failures.mean_between must be", "failures.mean_between", "1m or more"),
        ("[failures]\nlemons = 2", "line 11: failures.lemons must be at most 1.0, got 2", "failures.lemons", ""),
        ("[failures]\nrepair = '5 parsecs'", "line 11: failures.repair is not a duration", "failures.repair", '"90s"'),
        ("[[failures.domains]]\nlevel = 'shelf'\nmean_between = '1d'", "line 11: failures.domains.0.level", "failures.domains.0.level", ""),
        ("[[serving]]\nname = 'a'\nreplicas_max = 1\nmost = nan", "line 13: serving.0.most must be at least", "serving.0.most", ""),
        ("[[serving]]\nname = 'a'\nreplicas_max = 1", "line 10: serving[0] has neither a load", "serving[0].most", ""),
        ("[[nodes]]\nnodes = 1\ncores = 1\nnodes_per_rack = 'x'", "line 13: nodes[1].nodes_per_rack is 'x'", "nodes_per_rack", "a whole number from 0"),
        ("[[nodes]]\nnodes = 1", "line 10: nodes[1].cores is missing", "cores", "a whole number from 1"),
        ("[[reservations]]\nname = 'r'", "line 10: reservations.0", "reservations.0", ""),
        ("[[power]]\nname = 'f'\nparent = 'g'", "line 12: feed f is part of g", "power[0].parent", ""),
        ("[sitting]\nx = 1", "line 10: sitting is not a known field", "sitting", "allowed: checkpoint"),
        ("gpu_knid = 'h100'", "line 10: nodes[0].gpu_knid is not a known field", "gpu_knid", "did you mean 'gpu_kind'?"),
        ("broken = = 1", "is not TOML: Invalid value (at line 10", "file", ""),
        ("cores = 9", "is not TOML: Cannot overwrite a value", "file", ""),
    ],
)  # fmt: skip
def test_a_wrong_scenario_says_where_and_what_is_allowed(
    tmp_path: Path, more: str, said: str, field: str, allowed: str
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE + more)
    with pytest.raises(RefusalError) as caught:
        read_scenario(file)
    assert said in caught.value.detail
    assert caught.value.detail.startswith(str(file))
    assert caught.value.field.startswith(field)
    assert allowed in caught.value.hint


@pytest.mark.parametrize(
    ("was", "now", "said", "hint"),
    [
        ('policy = "default"', 'policy = "fdg"', "line 1: there is no policy fdg", "did you mean 'fgd'?"),
        ('policy = "default"', "policy = 7", "line 1: policy must be text, got 7", "put it in quotes"),
        ('policy = "default"', 'placement = "full"', "line 1: there is no placement full", "best-fit"),
        ('policy = "default"', "seed = -1", "line 1: seed must be at least 0, got -1", ""),
        ('policy = "default"', "startup = true", "line 1: startup must be a duration, got True", '"10m"'),
        ("jobs = 2", "jobs = 99999999999999999999", "line 3: workload.jobs must be at most 10000000", ""),
        ("jobs = 2", "jobs = 2\nhours = [1, 2]", "line 4: workload.hours must be 24 weights", ""),
        ("jobs = 2", "jobs = 2\nrun_median = '9h'", "line 4: workload.run_median must be above 0", ""),
        ("jobs = 2", "jobs = 2\nformat = 'xls'", "line 4: workload.format", ""),
        (SITE, "", ": workload is missing", ""),
        ("[workload]\njobs = 2", "[workload]", "line 2: workload has neither a trace nor jobs", "name a trace"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_scenario_is_found_in_its_line(
    tmp_path: Path, was: str, now: str, said: str, hint: str
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE.replace(was, now, 1))
    with pytest.raises(RefusalError) as caught:
        read_scenario(file)
    assert f"{file}" in caught.value.detail
    assert said in caught.value.detail
    assert hint in caught.value.hint


HEAD = "at,run,gpus,memory\n"


@pytest.mark.parametrize(
    ("name", "text", "said", "hint"),
    [
        ("a.csv", HEAD + "1,-5,1,1GiB", "line 2: run is '-5'", "allowed: seconds, 0 or more"),
        ("a.csv", HEAD + "nan,5,1,1GiB", "line 2: at is 'nan'", "allowed: seconds, or a time"),
        ("a.csv", HEAD + "1e300,5,1,1GiB", "line 2: at is '1e300'", "allowed: seconds, or a time"),
        ("a.csv", HEAD + "1,inf,1,1GiB", "line 2: run is 'inf'", "allowed: seconds, 0 or more"),
        ("a.csv", HEAD + "1,5,99999999999999999999,1", "line 2: gpus is", "a whole number"),
        ("a.csv", HEAD + "1,5,1.5,1GiB", "line 2: gpus is 1.5", "a whole number"),
        ("a.csv", HEAD + "1,5,1,3 parsecs", "line 2: memory is not a number of bytes", '"1GiB"'),
        ("a.csv", HEAD + "1,5", "line 2: the line has 2 fields", "4, as in the header"),
        ("a.csv", HEAD, "has no job to play", "one a line"),
        ("a.csv", "", "line 1: at is to be column at", "a header"),
        ("a.csv", "at,gpus,memory\n1,1,1", "line 1: run is to be column run", "at, gpus, memory"),
        ("a.csv", "at,run,gpus,memory,at\n1,2,1,1,1", "line 1: at is to be column at, which is there 2", "its own name"),
        ("a.csv.gz", "x", "after line 0: Not a gzipped file", "plain or whole in gzip"),
        ("a.swf", "; c\n1 2 3", "line 2: the line has 3 fields", "18, apart by spaces"),
        ("a.swf", "1 a 0 10 1 0 0 1 0 0 1 1 1 1 1 1 1 1", "submit_time (field 2) is 'a'", "a number"),
        ("a.swf", "; only\n", "has no job to play", "one a line"),
        ("a.journal", '{"id": 1}', "line 1: attempts is missing", "gw jobs -o json"),
        ("a.journal", "[1]", "line 1: the job is not one of ours", "gw jobs -o json"),
        ("a.journal", '"x"', "line 1: the line is neither a job nor a list", "gw jobs -o json"),
        ("a.journal", "{", "is not JSON", "gw jobs -o json"),
        ("a.openb", "name,cpu_milli\n", "line 1: no column 'memory_mib'", ""),
        ("a.philly", "timestamp,duration,num_gpus\n", "project is to be column cluster", "num_gpus"),
    ],
)  # fmt: skip
def test_a_wrong_trace_says_where_and_what_is_allowed(
    tmp_path: Path, name: str, text: str, said: str, hint: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    refused(file, name.split(".")[1], said, hint)


def refused(file: Path, format_: str, said: str, hint: str) -> None:
    with pytest.raises(RefusalError) as caught:
        read_trace(file, format_, PAIRS, node_gpus=8, jobs_max=0)
    assert str(file) in caught.value.detail
    assert said in caught.value.detail
    assert hint in caught.value.hint


def test_what_is_no_whole_file_of_text_is_refused(tmp_path: Path) -> None:
    cut, binary, folder = tmp_path / "cut.csv.gz", tmp_path / "binary.csv", tmp_path / "folder"
    cut.write_bytes(gzip.compress((HEAD + "1,5,1,1GiB\n" * 9).encode())[:-9])
    binary.write_bytes(b"\xff\xfe\x00")
    folder.mkdir()
    gzipped = "plain or whole in gzip"
    refused(cut, "csv", "Compressed file ended before", gzipped)
    refused(binary, "csv", "is not text after line 0", "UTF-8")
    refused(folder, "csv", "Is a directory", gzipped)
    refused(tmp_path / "none.csv", "csv", "there is no file", gzipped)
    with pytest.raises(RefusalError, match="Is a directory"):
        read_scenario(folder)
    with pytest.raises(RefusalError, match="is not text"):
        read_scenario(binary)


@pytest.mark.parametrize("cluster", ["0x8", "2x0", "2x8x9 parsecs", "none.toml", "2by8"])
def test_a_wrong_cluster_says_what_is_allowed(cluster: str) -> None:
    with pytest.raises(RefusalError) as caught:
        read_cluster(cluster, gpus=True)
    assert cluster.split("x", maxsplit=1)[0] in caught.value.detail
    assert "1024x8" in caught.value.hint


def test_a_field_is_found_by_its_table_and_its_number() -> None:
    text = "a.b = 1\n[t]\nx = 1\n[[t.s]]\nx = 2\n[[t.s]]\n  x = 3\n# y = 4\n"
    found = [line_of(text, field) for field in ("a.b", "t.x", "t.s.1.x", "t.s[0].x", "t.s.1.y")]
    assert found == [1, 3, 7, 5, 6]
    assert line_of(text, "z") == 0
