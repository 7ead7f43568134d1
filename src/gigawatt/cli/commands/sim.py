"""`gw sim`: recorded scheduling cycles, decided again, and policies tried out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.commands.sim_pack import pack
from gigawatt.cli.commands.sim_run import compare, run
from gigawatt.cli.commands.sim_trace import trace

if TYPE_CHECKING:
    from gigawatt.model.decision import Decision, Wait

SHOWN_MAX = 50


@click.group("sim")
def sim() -> None:
    """Try policies on workloads in virtual time; replay recorded cycles, which are kept in DATA/cycles."""


sim.add_command(pack)
sim.add_command(run)
sim.add_command(compare)
sim.add_command(trace)


@sim.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or the decision as JSON.",
)
def replay(file: Path, output: str) -> None:
    """Decide the cycle in FILE again. The same file gives the same decision, byte for byte, everywhere."""
    from gigawatt.scheduler.decide import decide
    from gigawatt.scheduler.record import decision_sha256, load

    snapshot, policy = load(_read(file))
    decision = decide(snapshot, policy)
    digest = decision_sha256(decision)
    if output == "json":
        shown: dict[str, Any] = {"decision_sha256": digest, "decision": asdict(decision)}
        click.echo(json.dumps(shown, indent=2, sort_keys=True))
        return
    _show(decision, digest, nodes=len(snapshot.nodes.ids), gangs=len(snapshot.gangs.ids))


def _read(file: Path) -> bytes:
    """Raises RefusalError."""
    from gigawatt.model.refusal import RefusalCode, RefusalError

    try:
        return file.read_bytes()
    except OSError as error:
        hint = "the control plane keeps recorded cycles in DATA/cycles"
        detail = f"cannot read {file}: {error.strerror}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, hint=hint) from error


def _show(decision: "Decision", digest: str, *, nodes: int, gangs: int) -> None:
    from gigawatt.cli.style import Column, show_fields, show_heading, show_table

    show_fields(
        [
            ("gangs", f"{gangs} on {nodes} nodes"),
            ("starts", str(len(decision.starts))),
            ("waits", str(len(decision.waits))),
            ("steps", str(decision.steps)),
            ("sha256", digest),
        ]
    )
    if decision.starts:
        show_heading("starts")
        starts = [[each.gang, " ".join(each.nodes)] for each in decision.starts[:SHOWN_MAX]]
        show_table([Column(name="GANG"), Column(name="NODES", wraps=True)], starts)
    if decision.waits:
        show_heading("waits")
        columns = [
            Column(name="POSITION", right=True),
            Column(name="GANG"),
            Column(name="REASON"),
            Column(name="NEEDS", right=True),
            Column(name="THERE IS", right=True),
            Column(name="OF"),
            Column(name="DETAIL", wraps=True),
        ]
        show_table(columns, [_wait_row(each) for each in decision.waits[:SHOWN_MAX]])


def _wait_row(wait: "Wait") -> list[str]:
    reason = wait.reason
    return [
        str(wait.position),
        wait.gang,
        reason.code.value,
        str(reason.need),
        str(reason.have),
        reason.resource,
        reason.detail,
    ]
