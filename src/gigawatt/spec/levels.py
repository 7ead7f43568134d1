"""Levels of run time, as an operator writes them: `8h,3d`."""

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.units import UnitError, duration_ms


def levels_ms(value: str) -> tuple[int, ...]:
    """Raises UnitError."""
    return tuple(duration_ms(each.strip()) for each in value.split(",")) if value else ()


def check_levels(value: str, source: str) -> None:
    """Raises RefusalError for what does not rise, naming `source`."""
    try:
        levels = levels_ms(value)
        wrong = "" if sorted({*levels, 0}) == [0, *levels] else "must rise"
    except UnitError as error:
        wrong = error.detail
    if wrong:
        detail = f"{source} is {value!r}: the levels {wrong}"
        hint = "write run times that rise, with units: 8h,3d"
        raise RefusalError(RefusalCode.INVALID, detail, field="levels", hint=hint)
