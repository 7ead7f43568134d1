"""Two jobs side by side."""

from typing import Any, cast

from gigawatt.sdk.comparison import Side, compared, pins
from gigawatt.sdk.views import GoodputView, JobView


def side(name: str, *, spec: dict[str, Any], lock: str = "", loss: float | None = None) -> Side:
    progress: dict[str, Any] | None = None
    if loss is not None:
        progress = {
            "at_ms": 1,
            "step": 5,
            "loss": loss,
            "tokens": None,
            "tokens_per_s": None,
            "metrics": {"lr": loss / 10},
        }
    view: dict[str, Any] = {
        "id": f"job-{name}",
        "name": name,
        "phase": "succeeded",
        "environment": "env-1",
        "bundle": "",
        "attempts": [{}],
        "created_ms": 1_000,
        "ended_ms": 3_500,
        "progress": progress,
    }
    goodput = {"goodput": 0.5, "ettr": None, "total": 7}
    return Side(
        view=cast("JobView", view), spec=spec, lock=lock, goodput=cast("GoodputView", goodput)
    )


def test_fields_packages_and_figures_that_differ_are_told_by_name() -> None:
    one = {
        "name": "t",
        "env": {"LR": "1", "SEED": "1"},
        "gang": {"cpus": 1},
        "environment": {"x": 1},
    }
    other = {"name": "t", "env": {"LR": "2"}, "gang": {"cpus": 1}, "environment": {"x": 2}}
    a = side("a", spec=one, lock="torch==2.13.0\nnumpy==2.1 \\\n", loss=2.0)
    b = side("b", spec=other, lock="Torch==2.13.1 ; python_version > '3'\nnumpy==2.1\n")
    found = compared(a, b)
    assert found["spec"] == [
        {"what": "env.LR", "a": "1", "b": "2"},
        {"what": "env.SEED", "a": "1", "b": None},
    ]
    assert found["packages"] == [{"what": "torch", "a": "2.13.0", "b": "2.13.1"}]
    figures = {each["what"]: (each["a"], each["b"]) for each in found["figures"]}
    assert figures == {
        "allocated": (7, 7),
        "attempts": (1, 1),
        "goodput": (0.5, 0.5),
        "loss": (2.0, None),
        "metrics.lr": (0.2, None),
        "step": (5, None),
        "took_s": (2.5, 2.5),
    }


def test_names_of_packages_are_normalized() -> None:
    lock = "# made by uv\nTyping_Extensions==4.1\n    # via torch\nuvicorn[standard]==0.40\n-e .\n"
    assert pins(lock) == {"typing-extensions": "4.1", "uvicorn": "0.40"}
