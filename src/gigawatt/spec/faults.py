"""From what validation found wrong to one refusal that says where, what, what is allowed, and the nearest spelling."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from gigawatt.model.refusal import Fault, RefusalCode, RefusalError
from gigawatt.spec.limits import FAULTS_MAX
from gigawatt.spec.units import shown

CUSTOM = "gigawatt"


def wrong(detail: str, hint: str = "") -> PydanticCustomError:
    """What a validator of ours raises; `detail` follows the field's name."""
    return PydanticCustomError(CUSTOM, "{detail}", {"detail": detail, "hint": hint})


def refusal(faults: Sequence[Fault], *, code: RefusalCode | None = None) -> RefusalError:
    """One error for all of `faults` (at least one): the first in its detail, the others counted there and listed."""
    first = faults[0]
    detail = first.detail
    if len(faults) > 1:
        detail = f"{detail} (and {len(faults) - 1} more)"
    unknown = any(fault.detail.endswith(_UNKNOWN) for fault in faults)
    return RefusalError(
        code or (RefusalCode.UNKNOWN_FIELD if unknown else RefusalCode.INVALID),
        detail,
        field=first.field,
        hint=first.hint,
        faults=tuple(faults[:FAULTS_MAX]),
    )


def faults_of(error: ValidationError, form: type[BaseModel]) -> tuple[Fault, ...]:
    """Every fault that pydantic found, in our words; unknown fields first, because they explain what is missing."""
    found = [_fault(each, form) for each in error.errors(include_url=False)]
    return tuple(sorted(found, key=lambda fault: not fault.detail.endswith(_UNKNOWN)))


def query_faults(errors: Sequence[Any]) -> tuple[Fault, ...]:
    """Faults of query and path parameters, as FastAPI tells them: the first part of a place says which of the two."""
    return tuple(_query_fault(error) for error in errors)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'x'?`, or what is allowed where nothing is near."""
    options = sorted(allowed)
    close = get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"allowed: {', '.join(options)}" if options else ""


_UNKNOWN = "is not a known field"


def _fault(error: ErrorDetails, form: type[BaseModel]) -> Fault:
    loc = error["loc"]
    field = ".".join(str(part) for part in loc if part != "[key]")
    if error["type"] == "extra_forbidden":
        known = _fields_at(form, loc[:-1])
        return _named(field, _UNKNOWN, nearest(str(loc[-1]), known))
    return _plain_fault(field, error)


def _query_fault(error: ErrorDetails) -> Fault:
    field = ".".join(str(part) for part in error["loc"][1:])
    if error["type"] == "extra_forbidden":
        return _named(field, _UNKNOWN, "")
    return _plain_fault(field, error)


def _plain_fault(field: str, error: ErrorDetails) -> Fault:
    context: Mapping[str, Any] = error.get("ctx", {})
    if error["type"] == CUSTOM:
        return _named(field, str(context["detail"]), str(context["hint"]))
    if error["type"] == "missing":
        return _named(field, "is missing", "")
    said = _SAID.get(error["type"])
    if said is None:
        return _named(field, f"is not valid: {error['msg'].lower()}", "")
    template, with_value = said
    detail = template.format(**context)
    written_as_number = error["type"] == "string_type" and isinstance(error["input"], int | float)
    hint = "put it in quotes" if written_as_number else ""
    return _named(field, f"{detail}, got {shown(error['input'])}" if with_value else detail, hint)


def _named(field: str, detail: str, hint: str) -> Fault:
    return Fault(field=field, detail=f"{field} {detail}".strip(), hint=hint)


_SAID: dict[str, tuple[str, bool]] = {
    "int_type": ("must be a whole number", True),
    "int_from_float": ("must be a whole number", True),
    "int_parsing": ("must be a whole number", True),
    "float_type": ("must be a number", True),
    "float_parsing": ("must be a number", True),
    "finite_number": ("must be a finite number", True),
    "bool_type": ("must be true or false", True),
    "bool_parsing": ("must be true or false", True),
    "string_type": ("must be text", True),
    "list_type": ("must be a list", True),
    "dict_type": ("must be a mapping", True),
    "model_type": ("must be a mapping", True),
    "model_attributes_type": ("must be a mapping", True),
    "greater_than_equal": ("must be at least {ge}", True),
    "greater_than": ("must be more than {gt}", True),
    "less_than_equal": ("must be at most {le}", True),
    "less_than": ("must be less than {lt}", True),
    "string_too_long": ("must be at most {max_length} characters", False),
    "string_too_short": ("must be at least {min_length} characters", False),
    "too_long": ("must have at most {max_length} entries", False),
    "too_short": ("must have at least {min_length} entries", False),
    "string_pattern_mismatch": ("must match {pattern}", True),
    "literal_error": ("must be {expected}", True),
    "enum": ("must be {expected}", True),
    "json_invalid": ("the body is not JSON: {error}", False),
}


def _fields_at(form: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the form that `loc` leads to."""
    here: type[BaseModel] = form
    for part in loc:
        if isinstance(part, int):
            continue
        info = _by_written_name(here).get(part)
        inner = _form_in(info.annotation) if info else None
        if inner is None:
            return []
        here = inner
    return list(_by_written_name(here))


def _by_written_name(form: type[BaseModel]) -> dict[str, Any]:
    """Fields under the names that people write: `from` cannot be a name in Python."""
    return {info.alias or name: info for name, info in form.model_fields.items()}


def _form_in(annotation: Any) -> type[BaseModel] | None:
    """The form somewhere inside an annotation: itself, optional, or an element."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((form for each in get_args(annotation) if (form := _form_in(each))), None)
