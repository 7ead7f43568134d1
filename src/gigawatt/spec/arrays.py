"""Many tasks of one job as a person writes them: `array`, which indices; `sweep`, a grid of environment variables."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.array import PARALLEL_DEFAULT, ArraySpec, points
from gigawatt.model.ranges import Ranges, ranges_of
from gigawatt.model.refusal import Fault
from gigawatt.spec import limits, names
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import FORM, env_text, pattern_schema
from gigawatt.spec.units import shown

_ONE = r"[0-9]{1,6}(-[0-9]{1,6}(:[0-9]{1,6})?)?"
INDICES_PATTERN = rf"^{_ONE}(,{_ONE})*$"
_HINT = 'write "0-9999", "0-99:10" or "1,3,5-8"; "%50" at the end says how many at once'
_PIECE = re.compile(r"([0-9]+)(?:-([0-9]+)(?::([0-9]+))?)?")


def indices_of(text: str) -> Ranges:
    """`0-9,20,30-40:5` as ranges. Raises a validator's fault for what is none."""
    if not re.fullmatch(INDICES_PATTERN, text):
        raise wrong(f"is not a list of indices: {shown(text)}", _HINT)
    pieces: list[tuple[int, int]] = []
    for piece in text.split(","):
        found = _PIECE.fullmatch(piece)
        assert found is not None
        first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if last < first or not step:
            raise wrong(f"is not a list of indices: {shown(piece)}", _HINT)
        if last >= limits.ARRAY_TASKS_MAX:
            raise wrong(f"has an index over {limits.ARRAY_TASKS_MAX - 1}, got {last}")
        within = range(first, last + 1, step)
        pieces += [(first, last)] if step == 1 else [(each, each) for each in within]
    return ranges_of(pieces)


def _as_array(value: object) -> object:
    """`10000` is so many tasks; `0-9999%50` is which, and how many at once; `%50` is the latter alone, for a sweep."""
    if isinstance(value, bool):
        raise wrong(f"must be a number, text or a mapping, got {shown(value)}", _HINT)
    if isinstance(value, int):
        return {"count": value}
    if not isinstance(value, str):
        return value
    indices, percent, parallel = value.partition("%")
    if not percent:
        return {"indices": indices}
    if not (parallel.isascii() and parallel.isdecimal()) or len(parallel) > 6:
        raise wrong(f"is not how many at once: {shown(parallel)}", _HINT)
    return (
        {"indices": indices, "parallel": int(parallel)} if indices else {"parallel": int(parallel)}
    )


def _checked(value: str) -> str:
    indices_of(value)
    return value


class ArrayForm(BaseModel):
    """Which tasks: `count` from 0, or `indices`; a sweep says it by itself."""

    model_config = FORM
    count: Annotated[int, Field(ge=1, le=limits.ARRAY_TASKS_MAX)] | None = None
    indices: (
        Annotated[
            str,
            Field(max_length=limits.ARRAY_TEXT_CHARS_MAX),
            AfterValidator(_checked),
            pattern_schema(INDICES_PATTERN),
        ]
        | None
    ) = None
    parallel: Annotated[int, Field(ge=1, le=limits.ARRAY_PARALLEL_MAX)] = PARALLEL_DEFAULT
    max_failures: Annotated[int, Field(ge=0, le=limits.ARRAY_TASKS_MAX)] | None = None


Array = Annotated[
    ArrayForm,
    BeforeValidator(_as_array),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": limits.ARRAY_TASKS_MAX},
                {"type": "string", "examples": ["0-9999%50", "1,3,5-8"]},
                ArrayForm.model_json_schema(),
            ]
        }
    ),
]
Sweep = Annotated[
    dict[
        str,
        Annotated[
            list[Annotated[str, BeforeValidator(env_text)]],
            Field(min_length=1, max_length=limits.SWEEP_VALUES_MAX),
        ],
    ],
    Field(max_length=limits.SWEEP_VARS_MAX),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {"type": ["string", "number"]},
                "minItems": 1,
            },
            "description": "A grid: each task gets one combination as environment variables.",
        }
    ),
]


def array_faults(
    form: ArrayForm | None, sweep: Mapping[str, list[str]], *, env: Mapping[str, str]
) -> list[Fault]:
    """What does not go together."""
    found: list[Fault] = []
    for name in sweep:
        fault = names.env_name_fault(name, replica=False)
        if name in env:
            fault = ("is given in env too", "give it in one of them")
        if fault:
            detail = f"sweep.{name} {fault[0]}"
            found.append(Fault(field=f"sweep.{name}", detail=detail, hint=fault[1]))
    texts = [value for values in sweep.values() for value in values]
    if any("\0" in text or len(text.encode()) > limits.ENV_BYTES_MAX for text in texts):
        detail = f"sweep has a value with a NUL character or over {limits.ENV_BYTES_MAX} bytes"
        found.append(Fault(field="sweep", detail=detail))
    return found + (_sweep_faults(form, sweep) if sweep else _index_faults(form))


def array_spec(form: ArrayForm | None, sweep: Mapping[str, list[str]]) -> ArraySpec | None:
    """The tasks of a form without faults; None where it is one job."""
    if form is None and not sweep:
        return None
    form = form or ArrayForm()
    grid = tuple((name, tuple(values)) for name, values in sweep.items())
    count = points(grid) if grid else form.count
    indices: Ranges = ((0, count - 1),) if count else indices_of(form.indices or "")
    return ArraySpec(
        indices=indices, parallel=form.parallel, max_failures=form.max_failures, sweep=grid
    )


def _index_faults(form: ArrayForm | None) -> list[Fault]:
    if form is None or (form.count is None) != (form.indices is None):
        return []
    which = "is missing" if form.count is None else "and array.indices exclude each other"
    return [Fault(field="array.count", detail=f"array.count {which}", hint=_HINT)]


def _sweep_faults(form: ArrayForm | None, sweep: Mapping[str, list[str]]) -> list[Fault]:
    count = points(tuple((name, tuple(values)) for name, values in sweep.items()))
    if count > limits.ARRAY_TASKS_MAX:
        detail = f"sweep is {count} tasks, over the limit of {limits.ARRAY_TASKS_MAX}"
        return [Fault(field="sweep", detail=detail)]
    given = None if form is None else form.count
    if form is not None and form.indices is not None:
        given = -1  # a grid is whole
    if given is None or given == count:
        return []
    detail = f"array does not fit the sweep, which is {count} tasks"
    return [Fault(field="array", detail=detail, hint="leave count and indices out")]
