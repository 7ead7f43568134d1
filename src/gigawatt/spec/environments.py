"""From an environment as it is written to its spec: one form for all spellings of the same packages."""

import re

from pydantic import ValidationError

from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec, Index, LocalPackage
from gigawatt.model.refusal import Fault
from gigawatt.spec.faults import faults_of, nearest, refusal
from gigawatt.spec.forms import EnvironmentForm
from gigawatt.spec.units import shown

EDITABLE = re.compile(r"(?:-e|--editable)[ =]\s*(?P<path>\./\S*|\.)")
_IMAGES = (
    "environments of kind image need an engine with containers, and this one runs processes on the machine",
    "use kind uv with the image's Python packages, and `system` for what else must be there",
)
_CONDA = (
    "environments of kind conda are not built: packages come from Python indexes here",
    "use kind uv with the same packages from an index, and `system` for libraries; or make the conda environment "
    "yourself and start its python with kind host",
)
REFUSED_KINDS = {
    **dict.fromkeys(("image", "oci", "docker", "container"), _IMAGES),
    **dict.fromkeys(("conda", "mamba", "micromamba", "pixi"), _CONDA),
}


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
        requirements=tuple(
            line for line in _normal(form.requirements) if not EDITABLE.fullmatch(line)
        ),
        lock=form.lock,
        system=tuple(sorted(set(form.system))),
        packages=_packages(form),
        indexes=tuple(Index(url=each.url, secret=each.secret) for each in form.indexes),
    )


def environment_faults(form: EnvironmentForm, *, field: str = "") -> tuple[Fault, ...]:
    """What is wrong with a form beyond its fields' own kinds. What a machine can build is for `build` to say."""
    prefix = f"{field}." if field else ""
    kinds = [kind.value for kind in EnvironmentKind]
    if form.kind in REFUSED_KINDS:
        name = f"{prefix}kind"
        reason, instead = REFUSED_KINDS[form.kind]
        return (Fault(field=name, detail=reason, hint=instead),)
    if form.kind not in kinds:
        name = f"{prefix}kind"
        detail = f"{name} is not a kind of environment: {shown(form.kind)}"
        return (Fault(field=name, detail=detail, hint=nearest(form.kind, kinds)),)
    something = form.lock or _normal(form.requirements) or form.packages
    if form.kind == EnvironmentKind.UV and not something:
        name = f"{prefix}requirements"
        hint = "name packages or give a lock, or use kind host"
        return (Fault(field=name, detail=f"{name} is missing", hint=hint),)
    return ()


def _normal(lines: list[str]) -> tuple[str, ...]:
    """Without comments, blanks and repetitions, sorted."""
    kept = {line.split(" #", 1)[0].strip() for line in lines if not line.strip().startswith("#")}
    return tuple(sorted(kept - {""}))


def _packages(form: EnvironmentForm) -> tuple[LocalPackage, ...]:
    """Local packages: those named as such, and `-e ./path` lines of requirements, once each."""
    lines = (EDITABLE.fullmatch(line) for line in _normal(form.requirements))
    written = (match["path"].removeprefix("./").rstrip("/") or "." for match in lines if match)
    return tuple(LocalPackage(path=path) for path in sorted({*form.packages, *written}))
