"""YAML as people write it: several documents to a file, every value with its line and column.

Scalars follow YAML 1.2's core schema, so `on`, `no`, `1:30` and `2024-01-01` are text. Duplicate keys are refused, and
so are files that aliases would blow up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gigawatt.model.refusal import Fault, RefusalCode, RefusalError
from gigawatt.spec import limits
from gigawatt.spec.faults import nearest, refusal
from gigawatt.spec.parse import EndpointDraft, JobDraft, endpoint_from, job_from
from gigawatt.spec.workspaces import WorkspaceDraft, workspace_from
from gigawatt.spec.yaml_core import TAG, CoreLoader

KINDS = ("job", "endpoint", "workspace")
DEFAULT_KIND = "job"

Draft = JobDraft | EndpointDraft | WorkspaceDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """From 1, as editors count."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file: plain data, and where each dotted field and its key stand."""

    source: str
    kind: str
    data: dict[str, Any]
    values: Mapping[str, Position] = field(repr=False)
    keys: Mapping[str, Position] = field(repr=False)

    def locate(self, name: str) -> Position:
        """Where `name` stands; of a field that is not there, where its nearest parent does."""
        name = name.replace("[", ".").replace("]", "")
        while name not in self.keys and name not in self.values and name:
            name = name.rpartition(".")[0]
        return self.keys.get(name) or self.values[name]

    def located(self, error: RefusalError) -> RefusalError:
        """The same refusal, each fault led by `source:line:column`."""
        faults = error.faults or (Fault(field=error.field, detail=error.detail, hint=error.hint),)
        placed = [
            Fault(field=each.field, detail=f"{self._at(each.field)}: {each.detail}", hint=each.hint)
            for each in faults
        ]
        return refusal(placed, code=error.code)

    def _at(self, name: str) -> str:
        position = self.locate(name)
        return f"{self.source}:{position.line}:{position.column}"


def parse_yaml(text: str, source: str) -> tuple[Draft, ...]:
    """Every job, endpoint and workspace of a file, as the API would take it. Raises RefusalError with line and column."""
    return tuple(draft_of(document) for document in read_documents(text, source))


def draft_of(document: Document) -> Draft:
    """The job, endpoint or workspace of one document. Raises RefusalError with line and column."""
    try:
        if document.kind == "endpoint":
            return endpoint_from(document.data)
        if document.kind == "workspace":
            return workspace_from(document.data)
        return job_from(document.data)
    except RefusalError as error:
        raise document.located(error) from error


def read_documents(text: str, source: str) -> tuple[Document, ...]:
    """The documents of a file that are not empty. Raises RefusalError with line and column."""
    documents = read_mappings(text, source)
    for document in documents:
        if document.data.get("kind", DEFAULT_KIND) not in KINDS:
            detail = f"kind is not known: {document.data['kind']!r}"
            wrong_kind = _invalid(detail, field="kind", hint=nearest(document.kind, KINDS))
            raise document.located(wrong_kind)
    return documents


def read_mappings(
    text: str, source: str, loader: "type[CoreLoader] | None" = None
) -> tuple[Document, ...]:
    """The same of any YAML or JSON file, whatever its documents say. Raises RefusalError with line and column."""
    loader = loader or CoreLoader
    if len(text.encode()) > limits.YAML_BYTES_MAX:
        detail = f"{source} is over the limit of {limits.YAML_BYTES_MAX} bytes"
        raise RefusalError(RefusalCode.TOO_LARGE, detail)
    try:
        roots = list(yaml.compose_all(text, Loader=loader))
        documents = tuple(_document(node, source, loader) for node in roots if not _is_null(node))
    except yaml.YAMLError as error:
        raise _yaml_refusal(error, source) from error
    except RecursionError as error:
        raise _invalid(f"{source}: nests too deep") from error
    if not documents:
        raise _invalid(f"{source} is empty", hint="write a job or an endpoint; see docs")
    if len(documents) > limits.YAML_DOCUMENTS_MAX:
        raise _invalid(f"{source} has more than {limits.YAML_DOCUMENTS_MAX} documents")
    return documents


class _Walk:
    """Positions found so far, and how much has been looked at."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.values: dict[str, Position] = {}
        self.keys: dict[str, Position] = {}
        self.seen = 0

    def visit(self, node: Node, path: tuple[str, ...]) -> None:
        self.seen += 1
        if self.seen > limits.YAML_NODES_MAX or len(path) > limits.YAML_DEPTH_MAX:
            raise _invalid(f"{self.source}: holds too much (aliases count each time they are used)")
        self.values.setdefault(".".join(path), _position(node))
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*path, str(index)))
        elif isinstance(node, MappingNode):
            self._mapping(node, path)

    def _mapping(self, node: MappingNode, path: tuple[str, ...]) -> None:
        seen: dict[str, Node] = {}
        for key, value in node.value:
            where = _position(key)
            at = f"{self.source}:{where.line}:{where.column}"
            if not isinstance(key, ScalarNode):
                raise _invalid(f"{at}: a key must be plain text")
            if key.tag == f"{TAG}merge":
                self.visit(value, (*path, key.value))
                continue
            name = ".".join((*path, key.value))
            if key.value in seen:
                first = _position(seen[key.value]).line
                raise _invalid(f"{at}: '{name}' is given twice, first on line {first}", field=name)
            seen[key.value] = key
            self.keys[name] = where
            self.visit(value, (*path, key.value))


def _document(node: Node, source: str, loader: type[CoreLoader]) -> Document:
    walk = _Walk(source)
    walk.visit(node, ())
    at = _position(node)
    if not isinstance(node, MappingNode):
        raise _invalid(f"{source}:{at.line}:{at.column}: a document must be a mapping of fields")
    construct = loader("").construct_document  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - its stub has no types
    data: dict[str, Any] = {str(key): value for key, value in construct(node).items()}
    kind = data.get("kind", DEFAULT_KIND)
    return Document(source=source, kind=str(kind), data=data, values=walk.values, keys=walk.keys)


def _position(node: Node) -> Position:
    return Position(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == f"{TAG}null"


def _yaml_refusal(error: yaml.YAMLError, source: str) -> RefusalError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    at = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    return _invalid(f"{at}: is not YAML: {problem}", hint="check indentation, colons and quotes")


def _invalid(detail: str, *, field: str = "", hint: str = "") -> RefusalError:
    return RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)
