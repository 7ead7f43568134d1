"""`gw import`: a file of another system becomes one of ours; what has no counterpart is told, key by key."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli.colour import painted

if TYPE_CHECKING:
    from gigawatt.spec.foreign.convert import Imported

KINDS = ("sbatch", "skypilot", "dstack", "torchx")
STDIN = Path("-")
EXAMPLES = """\b
Examples:
  gw import sbatch train.sbatch > job.yaml
  gw import skypilot task.yaml --output job.yaml && gw run job.yaml --dry-run
  gw import torchx app.json --format json      documents and notes, for programs
"""


@click.command("import", epilog=EXAMPLES)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Write it here, not on stdout.")
@click.option("--force", is_flag=True, help="Overwrite what --output names.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    help="YAML for `gw run`, `gw serve` and `gw dev`, or documents and notes as JSON.",
)
def import_file(*, kind: str, file: Path, output: Path | None, force: bool, form: str) -> None:
    """Turn FILE (`-` is stdin) into a job, endpoint or workspace file.

    The YAML goes to stdout. What has no counterpart is said on stderr, with its line and what to do instead, and
    stands as comments at the top of the YAML. Nothing is submitted.
    """
    from gigawatt.spec.foreign.convert import convert

    source = "<stdin>" if file == STDIN else str(file)
    found = convert(kind, _read(file), source)
    if output is not None:
        _write(output, _shown(found, form), force=force)
    else:
        click.echo(_shown(found, form), nl=False)
    _tell(found, source, output)


def _shown(found: "Imported", form: str) -> str:
    if form == "yaml":
        return found.text
    value = {"documents": found.documents, "notes": [asdict(note) for note in found.notes]}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _tell(found: "Imported", source: str, output: Path | None) -> None:
    """Each note as `file:line: key: what`, and what to do under it."""
    for note in found.notes:
        place = f"{source}:{note.line}" if note.line else source
        click.echo(f"{place}: {note.key}: {note.detail}", err=True)
        if note.advice:
            click.echo(f"  {painted('instead', 'cyan')}: {note.advice}", err=True)
    kinds = {str(document["kind"]) for document in found.documents}
    if kinds == {"workspace"}:
        click.echo(f"start it: gw dev {output or 'FILE'}", err=True)
        return
    verb = "serve" if kinds == {"endpoint"} else "run"
    click.echo(f"try it out: gw {verb} {output or 'FILE'} --dry-run", err=True)


def _read(file: Path) -> str:
    """Raises RefusalError."""
    from gigawatt.sdk.requirements import read_text

    return sys.stdin.read() if file == STDIN else read_text(file, field="file")


def _write(output: Path, text: str, *, force: bool) -> None:
    """Raises RefusalError where something is there already."""
    from gigawatt.model.refusal import RefusalCode, RefusalError

    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        detail = f"{output} is there already, and was left as it is"
        hint = "name another file, or add --force"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="output", hint=hint) from error
