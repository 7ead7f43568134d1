"""From an environment as it is written to its spec: one form for all spellings of the same packages."""

from pydantic import ValidationError

from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.model.refusal import Fault
from gigawatt.spec.faults import faults_of, nearest, refusal
from gigawatt.spec.forms import EnvironmentForm
from gigawatt.spec.units import shown


def parse_environment(body: bytes | str) -> EnvironmentSpec:
    """The environment in a JSON body. Raises RefusalError."""
    try:
        form = EnvironmentForm.model_validate_json(body)
    except ValidationError as error:
        raise refusal(faults_of(error, EnvironmentForm)) from error
    return environment_spec(form)


def environment_spec(form: EnvironmentForm, *, field: str = "") -> EnvironmentSpec:
    """The spec of a form that stands at `field`. Raises RefusalError."""
    faults = environment_faults(form, field=field)
    if faults:
        raise refusal(faults)
    return EnvironmentSpec(
        kind=EnvironmentKind(form.kind),
        python=form.python,
        requirements=_normal(form.requirements),
        lock=form.lock,
    )


def environment_faults(form: EnvironmentForm, *, field: str = "") -> tuple[Fault, ...]:
    """What is wrong with a form beyond its fields' own kinds. What a machine can build is for `build` to say."""
    prefix = f"{field}." if field else ""
    kinds = [kind.value for kind in EnvironmentKind]
    if form.kind not in kinds:
        name = f"{prefix}kind"
        detail = f"{name} is not a kind of environment: {shown(form.kind)}"
        return (Fault(field=name, detail=detail, hint=nearest(form.kind, kinds)),)
    if form.kind == EnvironmentKind.UV and not form.lock and not _normal(form.requirements):
        name = f"{prefix}requirements"
        hint = "name packages or give a lock, or use kind host"
        return (Fault(field=name, detail=f"{name} is missing", hint=hint),)
    return ()


def _normal(lines: list[str]) -> tuple[str, ...]:
    """Without comments, blanks and repetitions, sorted."""
    kept = {line.split(" #", 1)[0].strip() for line in lines if not line.strip().startswith("#")}
    return tuple(sorted(kept - {""}))
