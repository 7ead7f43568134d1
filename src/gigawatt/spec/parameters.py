"""Parameters that a job file declares: their types, what is allowed, and the values that a caller gives them."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, Field, ValidationError, WithJsonSchema

from gigawatt.model.refusal import Fault
from gigawatt.spec import limits
from gigawatt.spec.faults import faults_of, nearest, refusal, wrong
from gigawatt.spec.fields import FORM, Text
from gigawatt.spec.units import shown

Scalar = str | int | float | bool
Kind = Literal["string", "integer", "number", "boolean"]

FIELD = "parameters"
PARAMETERS_MAX = 64
CHOICES_MAX = 256
VALUE_CHARS_MAX = 4_096
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
NAME_HINT = "use 1 to 63 letters, digits, '_' and '-', starting with a letter"
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_BOOLEAN = {"true": True, "false": False}
_OF_KIND = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def _scalar(value: object) -> object:
    if value is not None and not isinstance(value, str | int | float):
        raise wrong(f"must be text, a number, true or false, got {shown(value)}")
    return value


Value = Annotated[
    Any,
    AfterValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]


class ParameterForm(BaseModel):
    """One parameter. Without a type it has that of its default; without a default it must be given."""

    model_config = FORM
    type: Kind | None = None
    default: Value = None
    choices: Annotated[list[Value], Field(max_length=CHOICES_MAX)] = []
    min: int | float | None = None
    max: int | float | None = None
    description: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`default` is None where a value must be given."""

    name: str
    kind: Kind
    default: Scalar | None
    choices: tuple[Scalar, ...]
    min: float | None
    max: float | None
    description: str

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return f"allowed: {', '.join(text_of(each) for each in self.choices)}"
        if self.min is not None and self.max is not None:
            return f"allowed: {text_of(self.min)} to {text_of(self.max)}"
        if self.min is not None:
            return f"allowed: {text_of(self.min)} or more"
        if self.max is not None:
            return f"allowed: {text_of(self.max)} or less"
        return _OF_KIND.get(self.kind, "any text")


def declared(data: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters that a job file declares, by name. Raises RefusalError with every fault."""
    written: object = data.get(FIELD, {})
    if not isinstance(written, Mapping):
        detail = f"{FIELD} must be a mapping from names to what they are, got {shown(written)}"
        raise refusal([Fault(field=FIELD, detail=detail)])
    entries = cast("Mapping[object, object]", written)
    if len(entries) > PARAMETERS_MAX:
        detail = f"{FIELD} has {len(entries)} entries, over the limit of {PARAMETERS_MAX}"
        raise refusal([Fault(field=FIELD, detail=detail)])
    found: dict[str, Parameter] = {}
    faults: list[Fault] = []
    for name, each in entries.items():
        parameter, bad = _declared(str(name), each)
        faults += bad
        if parameter is not None:
            found[str(name)] = parameter
    if faults:
        raise refusal(faults)
    return found


def chosen(known: Mapping[str, Parameter], given: Mapping[str, object]) -> dict[str, Scalar]:
    """A value for each parameter: the one given, or its default. Raises RefusalError with every fault."""
    faults = [_unknown(name, known) for name in given if name not in known]
    values: dict[str, Scalar] = {}
    for name, parameter in known.items():
        value: object = given.get(name, parameter.default)
        if value is None:
            about = f": {parameter.description}" if parameter.description else ""
            hint = f"-p {name}=…  ({parameter.allowed}){about}"
            faults.append(_fault(name, "must be given: it has no default", hint))
            continue
        taken, bad = _taken(parameter, value)
        faults += bad
        if taken is not None:
            values[name] = taken
    if faults:
        raise refusal(faults)
    return values


def refuse_unknown(known: Mapping[str, Parameter], given: Mapping[str, object]) -> None:
    """Raises RefusalError for values of what is not declared, with the nearest name."""
    faults = [_unknown(name, known) for name in given if name not in known]
    if faults:
        raise refusal(faults)


def text_of(value: Scalar) -> str:
    """A value as it is written within text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _declared(name: str, written: object) -> tuple[Parameter | None, Sequence[Fault]]:
    if not NAME.fullmatch(name):
        return None, [_fault(name, "is not a name for a parameter", NAME_HINT)]
    fields: object = written if _is_mapping(written) else {"default": written}
    try:
        form = ParameterForm.model_validate(fields)
    except ValidationError as error:
        place = f"{FIELD}.{name}"
        return None, [
            Fault(field=f"{place}.{each.field}", detail=f"{place}.{each.detail}", hint=each.hint)
            for each in faults_of(error, ParameterForm)
        ]
    example = form.default if form.default is not None else next(iter(form.choices), None)
    kind = form.type or _kind_of(example)
    bare = Parameter(
        name=name,
        kind=kind,
        default=None,
        choices=(),
        min=form.min,
        max=form.max,
        description=form.description,
    )
    return _checked(bare, form)


def _checked(bare: Parameter, form: ParameterForm) -> tuple[Parameter | None, Sequence[Fault]]:
    """Its own choices, and then its default, must be what it allows."""
    name = bare.name
    bounded = bare.min is not None or bare.max is not None
    if bounded and bare.kind not in {"integer", "number"}:
        return None, [_fault(name, f"has a min or max, which a {bare.kind} cannot have")]
    if bare.min is not None and bare.max is not None and bare.min > bare.max:
        detail = f"has a min of {text_of(bare.min)} above its max of {text_of(bare.max)}"
        return None, [_fault(name, detail)]
    faults: list[Fault] = []
    choices: list[Scalar] = []
    for each in form.choices:
        taken, bad = _taken(bare, each)
        faults += bad
        if taken is not None:
            choices.append(taken)
    whole = replace(bare, choices=tuple(choices))
    if form.default is None or faults:
        return (None if faults else whole), faults
    default, bad = _taken(whole, form.default)
    return replace(whole, default=default), bad


def _taken(parameter: Parameter, value: object) -> tuple[Scalar | None, Sequence[Fault]]:
    """The value with the parameter's type, or what is wrong with it."""
    typed = _typed(parameter.kind, value)
    if typed is None:
        need = _OF_KIND.get(parameter.kind, f"text of at most {VALUE_CHARS_MAX} characters")
        return None, [_fault(parameter.name, f"must be {need}, got {shown(value)}")]
    if parameter.choices and typed not in parameter.choices:
        near = nearest(text_of(typed), [text_of(each) for each in parameter.choices])
        detail = f"is {shown(typed)}; {parameter.allowed}"
        return None, [_fault(parameter.name, detail, near if near.startswith("did") else "")]
    low = parameter.min is not None and isinstance(typed, int | float) and typed < parameter.min
    high = parameter.max is not None and isinstance(typed, int | float) and typed > parameter.max
    if low or high:
        return None, [_fault(parameter.name, f"is {text_of(typed)}; {parameter.allowed}")]
    return typed, ()


def _typed(kind: Kind, value: object) -> Scalar | None:
    """None where it is not of this kind. Text is read as its kind is written: a command line has nothing else."""
    match kind:
        case "string":
            text = text_of(value) if isinstance(value, str | int | float) else None
            good = text is not None and len(text) <= VALUE_CHARS_MAX and "\0" not in text
            return text if good else None
        case "boolean":
            return value if isinstance(value, bool) else _BOOLEAN.get(str(value))
        case "integer":
            return _whole(value)
        case "number":
            whole = _whole(value)
            return whole if whole is not None else _real(value)


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 10**18 else None
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _kind_of(value: object) -> Kind:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return "string"


def _unknown(name: str, known: Mapping[str, Parameter]) -> Fault:
    hint = nearest(name, known) or "the file declares none; write them under `parameters:`"
    return _fault(name[: limits.NAME_CHARS_MAX], "is not declared", hint)


def _fault(name: str, detail: str, hint: str = "") -> Fault:
    return Fault(field=f"{FIELD}.{name}", detail=f"parameter {name} {detail}", hint=hint)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)
