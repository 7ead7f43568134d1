"""Job and endpoint files on the client's side: what they name on this machine becomes what the API takes.

The API never sees a path: requirements and locks are sent as text, a bundle as the digest of what was uploaded.
Everything that can be found wrong here is found before anything is sent, with line and column.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.requirements import read_requirements, read_text

if TYPE_CHECKING:
    from gigawatt.spec.documents import Document

DIGEST_PREFIX = "sha256:"
PARAMETERS = "parameters"
_ANY_DIGEST = DIGEST_PREFIX + "0" * 64  # stands for a bundle that is not packed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One job or endpoint as written. Relative paths start at `base`; `document` is None for plain data."""

    kind: str
    fields: Mapping[str, Any]
    base: Path
    document: "Document | None" = None

    @property
    def source(self) -> str:
        return self.document.source if self.document else ""

    def over(self, changes: Mapping[str, Any]) -> "Written":
        """The same with `changes` merged into its own fields; an environment is replaced as a whole."""
        from gigawatt.spec.merge import merged

        return replace(self, fields=merged(self.fields, changes))

    def located(self, error: RefusalError) -> RefusalError:
        """The same refusal with the line and column of the file, where there is a file."""
        return self.document.located(error) if self.document else error


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateUse:
    """A template of the instance, a version of it (0 for the newest), and values for its parameters."""

    name: str
    number: int = 0
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What the API takes, except for the bundle: a directory still to be packed, or None.

    With a template, `fields` are those that are to be others than the template's.
    """

    kind: str
    fields: dict[str, Any]
    bundle: Path | None
    template: TemplateUse | None = None


def read_file(path: Path) -> tuple[Written, ...]:
    """Every job and endpoint of a YAML or JSON file. Raises RefusalError with line and column."""
    text = read_text(path, field="file")
    return read_written(text, source=str(path), base=path.absolute().parent)


def read_written(text: str, *, source: str, base: Path) -> tuple[Written, ...]:
    """Every job and endpoint of a text; `source` is what errors call it. Raises RefusalError."""
    from gigawatt.spec.documents import read_documents  # pydantic: not for who has no file

    return tuple(
        Written(kind=each.kind, fields=each.data, base=base, document=each)
        for each in read_documents(text, source)
    )


def made_ready(written: Written, *, template: TemplateUse | None = None) -> Ready:
    """Read the files that a job names. Raises RefusalError for missing files, and for a file's every mistake."""
    if _has_parameters(written):
        (written,) = with_values((written,), {})
    try:
        fields, bundle = _inlined(written)
    except RefusalError as error:
        raise written.located(error) from error
    if written.document is not None:
        from gigawatt.spec.documents import draft_of

        checked = fields if bundle is None else {**fields, "bundle": _ANY_DIGEST}
        draft_of(replace(written.document, data=checked))
    return Ready(kind=written.kind, fields=fields, bundle=bundle, template=template)


def template_ready(written: Written) -> Ready:
    """A job file with its parameters as they are, to be pushed. Raises RefusalError with line and column."""
    from gigawatt.spec.placeholders import checked

    try:
        checked(written.fields)
        fields, bundle = _inlined(written)
    except RefusalError as error:
        raise written.located(error) from error
    return Ready(kind="template", fields=fields, bundle=bundle)


def with_values(written: tuple[Written, ...], given: Mapping[str, object]) -> tuple[Written, ...]:
    """The same with these values, or defaults, in the place of parameters. Each of `given` must be declared somewhere.

    Raises RefusalError with line and column.
    """
    from gigawatt.spec.parameters import Parameter, refuse_unknown
    from gigawatt.spec.placeholders import checked, filled

    known: dict[str, Parameter] = {}
    done: list[Written] = []
    for each in written:
        try:
            names = checked(each.fields) if _has_parameters(each) else {}
            known |= names
            values = {name: value for name, value in given.items() if name in names}
            fields = filled(each.fields, values).data if names else each.fields
        except RefusalError as error:
            raise each.located(error) from error
        done.append(replace(each, fields=fields))
    refuse_unknown(known, given)
    return tuple(done)


def written_job(job: "str | Path | Mapping[str, Any] | Written | None") -> Written:
    """The one job that is meant. Raises RefusalError for a file that holds anything else."""
    if isinstance(job, Written):
        return job
    if isinstance(job, Mapping) or job is None:
        return Written(kind="job", fields=job or {}, base=Path.cwd())
    found = read_file(Path(job))
    if len(found) != 1 or found[0].kind != "job":
        detail = f"{job} does not hold one job but {', '.join(each.kind for each in found)}"
        hint = "read it with gigawatt.sdk.jobfile.read_file and submit each"
        raise RefusalError(RefusalCode.INVALID, detail, field="job", hint=hint)
    return found[0]


def _has_parameters(written: Written) -> bool:
    return PARAMETERS in written.fields and written.kind == "job"


def _inlined(written: Written) -> tuple[dict[str, Any], Path | None]:
    fields = dict(written.fields)
    environment = fields.get("environment")
    if isinstance(environment, Mapping):
        named = cast("Mapping[str, Any]", environment)
        fields["environment"] = _environment(named, written.base)
    bundle = fields.get("bundle")
    if not isinstance(bundle, str) or not bundle or bundle.startswith(DIGEST_PREFIX):
        return fields, None
    directory = (written.base / Path(bundle).expanduser()).resolve()
    if not directory.is_dir():
        detail = f"bundle: no such directory: {directory}"
        hint = "name a directory, or leave bundle out"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="bundle", hint=hint)
    del fields["bundle"]
    return fields, directory


def _environment(environment: Mapping[str, Any], base: Path) -> dict[str, Any]:
    fields = dict(environment)
    named = fields.get("requirements_file")
    if isinstance(named, str):
        if fields.get("requirements"):
            detail = "environment.requirements and environment.requirements_file exclude each other"
            raise RefusalError(RefusalCode.INVALID, detail, field="environment.requirements_file")
        del fields["requirements_file"]
        path = base / Path(named).expanduser()
        fields["requirements"] = read_requirements(path, field="environment.requirements_file")
    lock = fields.get("lock")
    if isinstance(lock, str) and lock and "\n" not in lock:
        path = base / Path(lock).expanduser()
        fields["lock"] = read_text(path, field="environment.lock")
    return fields
