"""From a file of another system to ours: the text that `gw run`, `gw serve` and `gw dev` take, and what it leaves out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec import limits
from gigawatt.spec.faults import nearest
from gigawatt.spec.foreign.dstack import from_dstack
from gigawatt.spec.foreign.findings import Findings, Note
from gigawatt.spec.foreign.render import yaml_of
from gigawatt.spec.foreign.sbatch import from_sbatch
from gigawatt.spec.foreign.skypilot import from_skypilot
from gigawatt.spec.foreign.torchx import from_torchx
from gigawatt.spec.parse import endpoint_from, job_from
from gigawatt.spec.workspaces import workspace_from

_READERS: dict[str, Callable[[str, Findings], list[dict[str, Any]]]] = {
    "sbatch": from_sbatch,
    "skypilot": from_skypilot,
    "dstack": from_dstack,
    "torchx": from_torchx,
}
KINDS = tuple(_READERS)
_ANY_DIGEST = "sha256:" + "0" * 64  # stands for a directory, which is packed when it is submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`text` is YAML with the notes as comments; `documents` are the same jobs and endpoints as plain data."""

    text: str
    documents: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...]


def convert(kind: str, text: str, source: str) -> Imported:
    """The jobs and endpoints that a file of `kind` describes. Raises RefusalError with file and line.

    What comes out has been through our own parser: names, limits and fields that go together.
    """
    if kind not in _READERS:
        detail = f"files of {kind!r} are not read"
        raise RefusalError(RefusalCode.INVALID, detail, field="kind", hint=nearest(kind, KINDS))
    if len(text.encode()) > limits.YAML_BYTES_MAX:
        detail = f"{source} is over the limit of {limits.YAML_BYTES_MAX} bytes"
        raise RefusalError(RefusalCode.TOO_LARGE, detail)
    if "\0" in text:
        raise RefusalError(RefusalCode.INVALID, f"{source} is not a text file")
    findings = Findings(source)
    documents = tuple(_READERS[kind](text.replace("\r\n", "\n"), findings))
    for document in documents:
        _check(document, source)
    notes = findings.notes
    rendered = yaml_of(documents, notes, source=source, kind=kind)
    return Imported(text=rendered, documents=documents, notes=notes)


def _check(document: dict[str, Any], source: str) -> None:
    """Raises RefusalError where the job or endpoint would be refused when it is submitted."""
    checked = {**document}
    if checked.get("bundle"):
        checked["bundle"] = _ANY_DIGEST
    environment = checked.get("environment")
    if isinstance(environment, dict) and "requirements_file" in environment:
        checked["environment"] = {"kind": "uv", "requirements": ["read-when-submitted"]}
    try:
        if checked["kind"] == "endpoint":
            endpoint_from(checked)
        elif checked["kind"] == "workspace":
            workspace_from(checked)
        else:
            job_from(checked)
    except RefusalError as error:
        named = document.get("name", "the job")
        detail = f"{source}: {named} cannot be one here: {error.detail}"
        raise RefusalError(error.code, detail, field=error.field, hint=error.hint) from error
