"""A template: a job file with declared parameters, kept under a name. A change makes another version of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One name: how many versions it has. A deleted one stays, so that no version is ever numbered twice."""

    id: str  # tenant/project/name
    tenant: str
    project: str
    name: str
    newest: int
    digest: str  # of the newest version's document
    updated_ms: int
    deleted_ms: int | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """`document` is the job file as JSON, its `parameters` included."""

    id: str  # that of the Template, ":" and the number
    tenant: str
    project: str
    name: str
    number: int
    document: str
    at_ms: int
    by: str
