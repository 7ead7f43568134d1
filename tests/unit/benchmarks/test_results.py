import os
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.results import keep, write


def test_a_page_has_what_benchmarks_have_written_and_nothing_else(tmp_path: Path) -> None:
    met = Figure(what="jobs", value=5_432.1, unit="/s", goal=5_000, at_least=True, note="a | b")
    keep("twin", [met, Figure(what="  a cycle", value=0.25, unit="ms", goal=0.1)], tmp_path)
    keep("scale", [], tmp_path)
    keep("durability", [Figure(what="writes", value=1, unit="/s")], tmp_path)
    page = write(tmp_path, tmp_path / "results.md").read_text()
    assert "| jobs | 5,432 /s | ≥ 5,000 /s | yes | a \\| b |\n" in page
    assert "| a cycle | 0.25 ms | ≤ 0.1 ms | no |  |\n" in page
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# Results",
        "## The twin on public traces",
    ]


def test_what_was_not_measured_here_since_stays_on_the_page_as_it_was(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    there, here = tmp_path / "there", tmp_path / "here"
    keep("scale", [Figure(what="cycles", value=7, unit="/s")], there)
    keep("twin", [Figure(what="jobs", value=5, unit="/s")], there)
    before = write(there, page).read_text()
    assert write(here, page).read_text() == before
    keep("twin", [Figure(what="jobs", value=6, unit="/s")], here)
    keep("reclaim", [Figure(what="a decision", value=9, unit="ms")], here)
    os.utime(there / "twin.json", (0, 0))
    assert write(here, page).read_text() == write(there, page).read_text()
    after = page.read_text()
    assert [
        line for line in after.splitlines() if line.startswith(("## ", "| jobs", "| cycles"))
    ] == [
        "## The twin on public traces",
        "| jobs | 6 /s |  |  |  |",
        "## A site of three gigawatts",
        "| cycles | 7 /s |  |  |  |",
        "## Reclaiming",
    ]
