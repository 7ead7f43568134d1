"""What `gw run --dry-run` and `gw serve --dry-run` show: what was understood, where it would go, and why."""

from typing import TYPE_CHECKING, Any

from gigawatt.cli import format as form

if TYPE_CHECKING:
    from gigawatt.sdk.jobfile import Ready
    from gigawatt.sdk.views import DryRunView

SHOWN_RANKS_MAX = 32


def show_dry_run(ready: "Ready", view: "DryRunView") -> None:
    """Print one."""
    from gigawatt.cli.style import Column, show_fields, show_heading, show_table

    show_fields(_fields(ready, view))
    placements = view["placements"]
    if placements:
        show_heading("where")
        rows = [[str(each["rank"]), each["node"]] for each in placements[:SHOWN_RANKS_MAX]]
        show_table([Column(name="RANK", right=True), Column(name="NODE")], rows)
        if len(placements) > SHOWN_RANKS_MAX:
            show_fields([("and", f"{len(placements) - SHOWN_RANKS_MAX} ranks more")])


def verdict(view: "DryRunView") -> str:
    """What would happen, in a few words."""
    if not view["feasible"]:
        return "could never run here"
    return "would start now" if view["starts_now"] else "would wait"


def _fields(ready: "Ready", view: "DryRunView") -> list[tuple[str, str]]:
    spec, reason = view["spec"], view["reason"]
    command: list[str] = spec["command"]
    return [
        ("name", spec["name"]),
        ("verdict", verdict(view)),
        ("why", reason["message"] if reason else ""),
        ("command", " ".join(command)),
        ("tasks", _tasks(spec) if "array" in spec else ""),
        ("gang", _gang(spec["gang"])),
        ("environment", _environment(spec["environment"])),
        ("bundle", str(ready.bundle or spec.get("bundle") or "")),
        ("timeout", form.duration(spec["timeout"] * 1_000) if spec.get("timeout") else ""),
    ]


def _tasks(spec: dict[str, Any]) -> str:
    """Which tasks of an array, of which the first was tried out."""
    array: dict[str, Any] = spec["array"]
    sweep: dict[str, list[str]] = spec["sweep"]
    grid = " × ".join(f"{name}={','.join(values)}" for name, values in sweep.items())
    return f"{array['indices']}, {array['parallel']} at once" + (f", {grid}" if grid else "")


def _gang(gang: dict[str, Any]) -> str:
    nodes: dict[str, int] = gang["nodes"]
    amounts = form.amounts(gang["gpus"], gang["cpus"], gang["memory"])
    return form.gang(nodes["min"], nodes["max"], gang["ranks_per_node"], amounts, gang["spares"])


def _environment(environment: dict[str, Any]) -> str:
    python = f"python {environment['python']}" if environment["python"] else ""
    packages = " ".join(environment["requirements"]) or ("a lock" if environment["lock"] else "")
    return "  ".join(part for part in (environment["kind"], python, packages) if part)
