"""`gw quota`: what projects may use, and what they do use."""

from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, pairs, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.quota_views import BoundsView, LimitsView, LimitView, QuotaView

NOTHING = "none"


@click.group("quota", cls=NounGroup)
def quota() -> None:
    """Show or set what projects may use. `gw quota` shows."""


@quota.command("show")
@with_session
def show(session: Session) -> None:
    """Show what every project may use, uses, and is owed."""
    page = session.client.quotas.page()
    if session.as_json:
        session.show_json(page)
        return
    _shown(page["items"])


@quota.command("limits")
@with_project
@with_session
def limits(session: Session) -> None:
    """Show everything that a project may have, and what it has of it."""
    view = session.client.quotas.limits()
    if session.as_json:
        session.show_json(view)
        return
    _limits_shown(session, view)


@quota.command("set")
@click.option("--gpus", metavar="N|none", help="Guarantee so many GPUs.")
@click.option(
    "--gpu",
    "kinds",
    multiple=True,
    metavar="KIND=N|none",
    help="Guarantee so many GPUs of one kind, e.g. h100=64.",
)
@click.option("--cpus", metavar="N|none", help="Guarantee so many cores.")
@click.option("--memory", metavar="BYTES|none", help="Guarantee so much memory.")
@click.option("--max-gpus", metavar="N|none", help="Allow at most so many GPUs.")
@click.option(
    "--max-gpu",
    "max_kinds",
    multiple=True,
    metavar="KIND=N|none",
    help="Allow at most so many GPUs of one kind, e.g. b200=16.",
)
@click.option("--max-cpus", metavar="N|none", help="Allow at most so many cores.")
@click.option("--max-memory", metavar="BYTES|none", help="Allow at most so much memory.")
@click.option("--max-replicas", metavar="N|none", help="Allow at most so many replicas.")
@click.option("--max-storage", metavar="BYTES|none", help="Keep at most so much.")
@click.option("--weight", type=int, help="Its part of what is beyond quotas, against others.")
@click.option("--borrow/--no-borrow", default=None, help="Whether it may use more than its quota.")
@click.option("--parent", metavar="PROJECT|none", help="Make it part of another project.")
@with_project
@with_session
def change(session: Session, **given: Any) -> None:
    """Set what a project may use, with those below it; what is not named stays as it is."""
    terms = _terms(given)
    if not terms:
        raise click.UsageError("name at least one amount, e.g. --gpus 8")
    view = session.client.quotas.change(**terms)
    if session.as_json:
        session.show_json(view)
        return
    _shown([view])


def _terms(given: dict[str, Any]) -> dict[str, Any]:
    """The API's fields of what was given."""
    named = {option: value for option, value in given.items() if value not in (None, ())}
    terms: dict[str, Any] = {
        option: named.pop(option) for option in ("weight", "borrow") if option in named
    }
    if "parent" in named:
        parent = named.pop("parent")
        terms["parent"] = "" if parent == NOTHING else parent
    for option, value in named.items():
        bounds = "limit" if option.startswith("max_") else "quota"
        terms.setdefault(bounds, {})[option.removeprefix("max_")] = _amounts(option, value)
    return terms


def _amounts(option: str, value: "str | tuple[str, ...]") -> Any:
    """An amount, or one of each kind of GPU."""
    if isinstance(value, str):
        return _amount(option, value)
    flag = option.replace("kinds", "gpu")
    return {
        kind: _amount(flag, amount)
        for kind, amount in pairs(value, f"--{flag.replace('_', '-')}").items()
    }


def _amount(option: str, value: str) -> float | str | None:
    if value == NOTHING:
        return None
    if option.endswith(("memory", "storage")):
        return value
    try:
        return int(value) if option.endswith("replicas") else float(value)
    except ValueError:
        flag = option.replace("_", "-")
        raise click.UsageError(f"--{flag} takes a number or {NOTHING}, got {value}") from None


def _limits_shown(session: Session, view: "LimitsView") -> None:
    from gigawatt.cli.style import Column, show_table

    names = ("LIMIT OF", "FOR", "USED", "LIMIT", "PERCENT", "STATE", "THEN")
    columns = [
        Column(
            name=name,
            style="bold" if name == "LIMIT OF" else "",
            right=name in {"USED", "LIMIT", "PERCENT"},
            phase=name == "STATE",
        )
        for name in names
    ]
    show_table(columns, [_limit_row(each) for each in view["items"]])
    kept = view["kept"]
    told = (
        f"{form.size(kept['artifacts'])} of artifacts",
        f"{form.size(kept['checkpoints'])} of checkpoints",
        f"{form.size(kept['workspaces'])} in homes of workspaces",
    )
    session.say(f"kept: {', '.join(told)}")


def _limit_row(view: "LimitView") -> list[str]:
    percent = "-" if view["percent"] is None else f"{view['percent']} %"
    used, limit = (_amount_text(view["unit"], view[name]) for name in ("used", "limit"))
    row = [view["what"], view["whose"], used or "-", limit or "off", percent]
    return [*row, view["state"], view["then"] or "-"]


def _amount_text(unit: str, amount: str | None) -> str:
    if amount is None:
        return ""
    return form.size(int(amount)) if unit == "byte" else amount


def _shown(views: "list[QuotaView]") -> None:
    from gigawatt.cli.style import Column, show_table

    names = ("PROJECT", "PART OF", "USES", "QUOTA", "LIMIT", "BORROWS", "WEIGHT", "SHARE")
    columns = [Column(name=name, style="bold" if name == "PROJECT" else "") for name in names]
    show_table(columns, [_row(view) for view in views])


def _row(view: "QuotaView") -> list[str]:
    borrowed = _text(view["borrowed"]) or "-"
    return [
        view["project"],
        view["parent"] or view["tenant"],
        _text(view["used"]) or "-",
        _text(view["guaranteed"], zero=True) or "-",
        _limit_text(view) or "-",
        borrowed if view["borrow"] else "may not",
        str(view["weight"]),
        f"{view['share']:.4f}",
    ]


def _limit_text(view: "QuotaView") -> str:
    told = _text(view["limit"], zero=True)
    replicas, storage = view["caps"]["replicas"], view["caps"]["storage_bytes"]
    parts = [told] if told else []
    parts += [] if replicas is None else [f"{replicas} replica{'' if replicas == 1 else 's'}"]
    parts += [] if storage is None else [f"{form.size(storage)} kept"]
    return ", ".join(parts)


def _text(amounts: "BoundsView", *, zero: bool = False) -> str:
    """Those of the amounts that are known, and with `zero` those that are 0."""
    told: list[str] = []
    for value, unit in ((amounts["gpus"], "GPU"), (amounts["cpus"], "core")):
        if value or (zero and value is not None):
            told.append(f"{value:g} {unit}{'' if value == 1 else 's'}")
    told += [f"{value:g} {kind}" for kind, value in amounts["kinds"].items() if value or zero]
    memory = amounts["memory_bytes"]
    if memory or (zero and memory is not None):
        told.append(form.size(memory))
    return ", ".join(told)
