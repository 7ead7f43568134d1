"""What `gw sim` prints of a run: its report, and what the run itself cost."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gigawatt.twin.history import History
    from gigawatt.twin.page import Shown
    from gigawatt.twin.report import Report
    from gigawatt.twin.run import Scenario


class Pages:
    """Runs for an HTML page, kept only where one was asked for."""

    def __init__(self, file: "Path | None") -> None:
        self._file = file
        self._shown: list[Shown] = []

    def measured(self, scenario: "Scenario", name: str) -> dict[str, Any]:
        """Play a scenario, and keep it for the page under a name."""
        if self._file is None:
            return measured(scenario)
        from gigawatt.twin.history import History

        history = History()
        return measured(scenario, history, lambda report: self._add(name, report, history))

    def write(self, title: str) -> None:
        """The page, if there is to be one. Raises RefusalError where it cannot be written."""
        if self._file is None:
            return
        from gigawatt.model.refusal import RefusalCode, RefusalError
        from gigawatt.twin.page import page

        try:
            self._file.write_text(page(self._shown, title=title), encoding="utf-8")
        except OSError as error:
            detail = f"cannot write {self._file}: {error.strerror}"
            raise RefusalError(RefusalCode.INVALID, detail, field="html") from error
        click.echo(f"wrote {self._file}", err=True)

    def _add(self, name: str, report: "Report", history: "History") -> None:
        from gigawatt.twin.page import Shown

        self._shown.append(Shown(name=name, report=report, history=history))


def measured(
    scenario: "Scenario",
    history: "History | None" = None,
    then: "Callable[[Report], None] | None" = None,
) -> dict[str, Any]:
    """The report of a run with its digest, and the wall time and peak memory of this process."""
    import resource

    from gigawatt.clock import monotonic_s
    from gigawatt.twin.report import report_sha256
    from gigawatt.twin.run import run

    began_s = monotonic_s()
    report = run(scenario, history)
    wall_s = monotonic_s() - began_s
    if then is not None:
        then(report)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        **asdict(report),
        "report_sha256": report_sha256(report),
        "decisions_per_s": round(report.decisions / wall_s, 1),
        "wall_s": round(wall_s, 3),
        "peak_rss_bytes": peak_kib * 1024,
    }


def show_report(shown: dict[str, Any]) -> None:
    """For people: what became of the jobs, how long they waited, and what the site was used for."""
    from gigawatt.cli.style import Column, show_fields, show_table

    done, ended = shown["jobs_completed"], shown["jobs_submitted"]
    fields = [
        ("policy", f"{shown['policy']} on {shown['nodes']} nodes"),
        ("jobs", f"{done} of {ended} completed"),
        ("makespan", f"{shown['makespan_s']:,.0f} s"),
        ("utilization", _percent(shown["utilization"])),
        ("goodput", _percent(shown["goodput"])),
        ("fragmentation", _percent(shown["fragmentation"])),
        ("decisions", f"{shown['decisions']} at {shown['decisions_per_s']:,.0f}/s"),
        ("sha256", shown["report_sha256"]),
    ]
    for key, name in (
        ("jobs_failed", "failed"),
        ("jobs_waiting", "still waiting"),
        ("jobs_impossible", "impossible"),
        ("interruptions", "interruptions"),
        ("preemptions", "preemptions"),
    ):
        if shown[key]:
            fields.insert(2, (name, str(shown[key])))
    if (starts := shown["estimates"])["count"]:
        covered = f"P50 {_percent(starts['coverage_p50'])}, P90 {_percent(starts['coverage_p90'])}"
        told = f"{starts['count']} starts foretold; came true: {covered}"
        fields.append(("estimates", f"{told}; pinball {_seconds(starts['pinball'])} s"))
    if shown["failures"]:
        told = ", ".join(f"{count} {cause}" for cause, count in shown["failures"])
        fields.append(("failures", told))
    show_fields(fields)
    click.echo()
    columns = [Column(name="SECONDS")]
    columns += [Column(name=name, right=True) for name in ("MEAN", "P50", "P90", "P99")]
    rows = [
        [name, *(_seconds(shown[key][part]) for part in ("mean", "p50", "p90", "p99"))]
        for name, key in (("wait", "wait_s"), ("from submission to end", "jct_s"))
    ]
    show_table(columns, rows)


def show_compared(reports: dict[str, dict[str, Any]]) -> None:
    """One row for each run."""
    from gigawatt.cli.style import Column, show_table

    names = ("POLICY", "COMPLETED", "WAIT MEAN", "P90", "P99", "MAKESPAN", "USED", "GOODPUT")
    columns = [Column(name="SCENARIO"), *(Column(name=name, right=True) for name in names)]
    rows = [
        [
            name,
            shown["policy"],
            str(shown["jobs_completed"]),
            *(_seconds(shown["wait_s"][part]) for part in ("mean", "p90", "p99")),
            _seconds(shown["makespan_s"]),
            _percent(shown["utilization"]),
            _percent(shown["goodput"]),
        ]
        for name, shown in reports.items()
    ]
    show_table(columns, rows)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
