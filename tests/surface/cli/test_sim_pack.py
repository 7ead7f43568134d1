"""`gw sim pack`: how full a policy gets the GPUs of a list of nodes."""

import csv
import gzip
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from benchmarks.traces import absent, found

from gigawatt.scheduler.packing import names
from tests.surface.cli.conftest import Gw
from tests.unit.twin.pods import NODES, drawn_nodes, drawn_pods, nodes_csv, pods_csv

PACK = ("sim", "pack", "--nodes", "nodes.csv", "--pods", "pods.csv.gz")


def write_lists() -> None:
    Path("nodes.csv").write_text(nodes_csv(drawn_nodes(1)))
    Path("pods.csv.gz").write_bytes(gzip.compress(pods_csv(drawn_pods(1)).encode()))


def test_one_run_is_one_object_the_same_every_time(gw: Gw) -> None:
    write_lists()
    options = ("--policy", "fgd", "--ratio", "1.0,1.3", "--seed", "42", "-o", "json")
    first, second = (gw(*PACK, *options).stdout for _ in range(2))
    assert first == second
    shown = json.loads(first)
    assert (shown["policy"], shown["seed"]) == ("fgd", 42)
    assert list(shown["allocation_percent"]) == ["1.0", "1.3"]
    assert 0 < shown["allocation_percent"]["1.0"] <= shown["allocation_percent"]["1.3"] <= 100
    assert shown["arrived"] == shown["placed"] + shown["dropped"]
    assert shown["dropped_feasible"] == 0


def test_placements_are_written_with_pod_node_and_gpus(gw: Gw) -> None:
    write_lists()
    shown = json.loads(gw(*PACK, "-o", "json", "--placements", "out.csv").stdout)
    gw(*PACK, "-o", "json", "--placements", "out.csv.gz")
    assert gzip.decompress(Path("out.csv.gz").read_bytes()) == Path("out.csv").read_bytes()
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert list(rows[0]) == ["pod", "node", "gpus", "arrival"]
    assert len(rows) == shown["placed"]
    pods, nodes = ({each.name for each in drawn(1)} for drawn in (drawn_pods, drawn_nodes))
    assert {row["pod"] for row in rows} <= pods
    assert {row["node"] for row in rows} <= nodes
    assert any("|" in row["gpus"] for row in rows)


def test_several_seeds_are_runs_and_their_mean(gw: Gw) -> None:
    write_lists()
    shown = json.loads(gw(*PACK, "--seeds", "42-44", "-o", "json").stdout)
    assert shown["seeds"] == [42, 43, 44]
    each = [run["allocation_percent"]["1.3"] for run in shown["runs"]]
    assert shown["allocation_percent"]["1.3"] == pytest.approx(sum(each) / 3, abs=1e-3)
    assert shown["placed"] == sum(run["placed"] for run in shown["runs"])


def test_a_page_shows_the_runs_and_changes_no_figure(gw: Gw) -> None:
    write_lists()
    options = ("--seeds", "42,43", "-o", "json")
    plain = json.loads(gw(*PACK, *options).stdout)
    done = gw(*PACK, *options, "--html", "page.html")
    assert json.loads(done.stdout) == plain
    assert "wrote page.html" in done.stderr
    text = Path("page.html").read_text(encoding="utf-8")
    tables = ET.fromstring(text.removeprefix("<!DOCTYPE html>")).findall(".//table")
    runs, curve = (["".join(row.itertext()) for row in each.findall("tbody/tr")] for each in tables)
    for run, row in zip(plain["runs"], runs, strict=True):
        assert f"{run['allocation_percent']['1.3']:.2f} %" in row
    assert [row.partition(" %")[0] for row in curve] == [str(10 * step) for step in range(1, 14)]


def test_a_page_that_cannot_be_written_is_refused(gw: Gw) -> None:
    write_lists()
    refused = gw(*PACK, "--html", "no/page.html")
    assert refused.exit_code == 2
    assert "cannot write no/page.html: No such file or directory" in refused.stderr


def test_a_table_is_for_people(gw: Gw) -> None:
    write_lists()
    lines = gw(*PACK, "--seeds", "42,43").stdout.splitlines()
    assert lines[0].split() == [
        "POLICY",
        "SEED",
        "AT",
        "100",
        "%",
        "AT",
        "130",
        "%",
        "ARRIVED",
        "PLACED",
        "DROPPED",
    ]
    assert [line.split()[:2] for line in lines[1:]] == [
        [names.DEFAULT, "42"],
        [names.DEFAULT, "43"],
        [names.DEFAULT, "mean"],
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--policy", "fdg"), "'fgd'"),
        (("--ratio", "1.0,much"), "such as 1.0,1.3"),
        (("--ratio", "0"), "numbers from 0 to 10"),
        (("--seeds", "51-42"), "such as 42-51"),
        (("--seed", "1", "--seeds", "2-3"), "exclude each other"),
        (("--seeds", "2-3", "--placements", "out.csv"), "give one --seed"),
        (("--placements", "none/out.csv"), "cannot write none/out.csv"),
    ],
)
def test_what_makes_no_sense_is_refused(gw: Gw, options: tuple[str, ...], told: str) -> None:
    write_lists()
    result = gw(*PACK, *options)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_bad_file_is_told_with_its_line_and_field(gw: Gw) -> None:
    write_lists()
    Path("nodes.csv").write_text(f"{NODES}\na,1000,1024,two,T4\n")
    result = gw(*PACK)
    assert result.exit_code == 2
    assert "nodes.csv: line 2: gpu is 'two'; allowed is a whole number" in result.stderr


@pytest.mark.slow
@pytest.mark.skipif(not found("openb"), reason=absent("openb"))
def test_ours_fills_a_real_cluster_fuller_than_fgd_and_fgd_as_it_was_published(gw: Gw) -> None:
    folder = found("openb")
    assert folder is not None
    files = (
        "--nodes",
        str(folder / "openb_node_list_gpu_node.csv.gz"),
        "--pods",
        str(folder / "openb_pod_list_cpu250.csv.gz"),
    )
    ours, fgd = (
        json.loads(gw("sim", "pack", *files, "--policy", policy, "-o", "json").stdout)
        for policy in (names.DEFAULT, names.FGD)
    )
    assert fgd["allocation_percent"]["1.0"] == pytest.approx(93.2, abs=0.6)
    assert ours["allocation_percent"]["1.0"] > 93.2
    assert ours["allocation_percent"]["1.3"] > 93.4
