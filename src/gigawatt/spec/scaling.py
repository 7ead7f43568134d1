"""Between what is written of an endpoint's scaling and the model's values."""

from typing import Any

from gigawatt.model.scaling import MILLI, Floor, Scaling
from gigawatt.spec.endpoint_form import WEEKDAYS, FloorForm, ScalingForm

PERCENT = 100
MINUTES = 60


def scaling_of(form: ScalingForm | None) -> Scaling | None:
    """What is written, as it is decided by; None where replicas follow demand and quiet alone."""
    if form is None:
        return None
    return Scaling(
        window_s=form.window,
        hold_s=form.hold,
        headroom_milli=round(form.headroom * MILLI),
        down_percent=round(form.down * PERCENT),
        ttft_ms=round(form.ttft * MILLI),
        tpot_ms=round(form.tpot * MILLI),
        cache_percent=round(form.cache * PERCENT),
        backlog_tokens=form.backlog,
        forecast_percent=round(form.forecast * PERCENT),
        start_s=form.start,
        floors=tuple(_floor(each) for each in form.floors),
    )


def scaling_fields(scaling: Scaling | None) -> dict[str, Any] | None:
    """The same in the endpoint file's words."""
    if scaling is None:
        return None
    return {
        "window": scaling.window_s,
        "hold": scaling.hold_s,
        "headroom": scaling.headroom_milli / MILLI,
        "down": scaling.down_percent / PERCENT,
        "ttft": scaling.ttft_ms / MILLI,
        "tpot": scaling.tpot_ms / MILLI,
        "cache": scaling.cache_percent / PERCENT,
        "backlog": scaling.backlog_tokens,
        "forecast": scaling.forecast_percent / PERCENT,
        "start": scaling.start_s,
        "floors": [_floor_fields(each) for each in scaling.floors],
    }


def _floor(form: FloorForm) -> Floor:
    return Floor(
        days=tuple(sorted({WEEKDAYS.index(day) for day in form.days})),
        from_minute=_minute(form.start),
        to_minute=_minute(form.end),
        replicas=form.replicas,
    )


def _floor_fields(floor: Floor) -> dict[str, Any]:
    return {
        "days": [WEEKDAYS[day] for day in floor.days],
        "start": _clock(floor.from_minute),
        "end": _clock(floor.to_minute),
        "replicas": floor.replicas,
    }


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * MINUTES + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // MINUTES:02}:{minute % MINUTES:02}"
