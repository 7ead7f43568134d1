"""`@gw.job` where it is written: what it takes, what it refuses, and that calling stays calling."""

import subprocess
import sys
from pathlib import Path
from typing import Any, assert_type

import pytest

import gigawatt as gw
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.function import MAP_ITEMS_MAX
from gigawatt.sdk.options import fields_of, named
from gigawatt.sdk.travel import route_of, within

ROOT = Path(__file__).resolve().parents[3]


@gw.job(nodes=2, gpus=8, memory="1GiB", retries=2)
def double(number: int, *, plus: float = 0) -> float:
    """Twice as much."""
    return 2 * number + plus


@gw.job
class Work:
    def __init__(self, start: int) -> None:
        self.start = start

    def setup(self) -> None:
        self.start += 1

    def run(self) -> str:
        return f"from {self.start}"


def test_a_decorated_function_is_called_as_ever_and_keeps_its_name_and_words() -> None:
    assert double(2, plus=1) == 5
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice as much."
    assert repr(double) == "<job function double>"


def test_a_decorated_class_that_is_called_runs_here() -> None:
    assert Work(4) == "from 5"


def test_types_carry_over() -> None:
    assert_type(double(1), float)
    assert_type(Work(1), str)
    if False:  # never run; read by the type checker
        assert_type(double.submit(1, plus=2), gw.Future[float])
        assert_type(double.submit(1).result(), float)
        assert_type(double.options(nodes=3).submit(1).results(), list[float])
        assert_type(double.map([1, 2]), gw.Batch[float])
        assert_type(Work.submit(start=1), gw.Future[str])
        double.submit("a")  # pyright: ignore[reportArgumentType]  # what a checker must find
        double.submit()  # pyright: ignore[reportCallIssue]  # what a checker must find


def test_every_name_of_the_package_is_there() -> None:
    for name in gw.__all__:
        assert getattr(gw, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'jobs'"):
        getattr(gw, "jobs")  # noqa: B009 - a checker would find the attribute itself


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("async def f(): ...", "async function"),
        ("def f(): yield 1", "yields"),
        ("class f: pass", "no method run"),
        ("f = 3", "not int"),
    ],
)
def test_what_cannot_be_a_job_is_refused_where_it_is_decorated(target: str, words: str) -> None:
    scope: dict[str, Any] = {}
    exec(target, scope)
    with pytest.raises(TypeError, match=words):
        gw.job(scope["f"])


def test_an_option_that_there_is_not_names_the_nearest() -> None:
    options: dict[str, Any] = {"gpu": 1}
    with pytest.raises(TypeError, match="'gpu'; did you mean gpus"):
        gw.job(**options)
    with pytest.raises(TypeError, match="no option 'zzz'"):
        double.options(zzz=1)  # pyright: ignore[reportCallIssue]  # what a checker finds too


def test_options_become_the_fields_of_a_job() -> None:
    fields = fields_of(
        {
            "nodes": 2,
            "gpus": 0.5,
            "environment": ["numpy"],
            "env": {"LR": 0.1},
            "retries": 1,
            "timeout": "2h",
            "after": ["job-1"],
            "labels": {"a": "b"},
        },
        default_name="My_Function",
    )
    assert fields == {
        "name": "my-function",
        "gang": {"nodes": 2, "gpus": 0.5},
        "environment": {"kind": "uv", "requirements": ["numpy"]},
        "env": {"LR": "0.1"},
        "retries": {"user": 1},
        "timeout": "2h",
        "after": ["job-1"],
        "labels": {"a": "b"},
    }
    assert fields_of({}, default_name="f") == {"name": "f", "environment": "host"}


def test_an_environment_is_named_by_its_file(tmp_path: Path) -> None:
    of_text = fields_of({"environment": tmp_path / "r.txt"}, default_name="f")["environment"]
    assert of_text == {"kind": "uv", "requirements_file": str(tmp_path / "r.txt")}
    lock = fields_of({"environment": str(tmp_path / "r.lock")}, default_name="f")["environment"]
    assert lock == {"kind": "uv", "lock": str(tmp_path / "r.lock")}


def test_what_names_no_job_is_no_job_to_come_after() -> None:
    with pytest.raises(RefusalError) as refused:
        fields_of({"after": [3]}, default_name="f")
    assert refused.value.field == "after"


def test_names_are_made_of_any_text_and_fit() -> None:
    assert named("<lambda>") == "lambda"
    assert named("___") == "function"
    assert named("a" * 80, number=1234) == "a" * 58 + "-1234"


def test_a_map_over_its_limit_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(RefusalError) as refused:
        double.map(range(MAP_ITEMS_MAX + 1))
    assert refused.value.code is RefusalCode.LIMIT


def test_a_map_of_nothing_is_an_empty_batch() -> None:
    assert double.map([]).results() == []


def test_a_function_of_a_module_travels_by_its_name() -> None:
    route = route_of(double.__wrapped__)
    assert route.function == {"how": "module", "module": __name__, "name": "double"}
    assert route.root == ROOT
    assert within(ROOT, route.root, double.__wrapped__) == ""
    assert within(ROOT.parent, route.root, double.__wrapped__) == ROOT.name


def test_a_bundle_that_does_not_hold_the_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusalError) as refused:
        within(tmp_path, ROOT, double.__wrapped__)
    assert refused.value.field == "bundle"
    assert str(ROOT) in refused.value.hint


def test_what_is_installed_needs_no_bundle() -> None:
    import math
    import textwrap

    assert route_of(textwrap.dedent).root is None
    assert route_of(math.gcd).root is None


def test_a_function_within_a_function_travels_as_a_value() -> None:
    pytest.importorskip("cloudpickle")

    def inner() -> int:
        return 1

    route = route_of(inner)
    assert route.function["how"] == "value"
    assert route.value == route_of(inner).value
    assert b"cloudpickle/cloudpickle.py" in route.value


def test_what_a_value_cannot_hold_says_what_to_do() -> None:
    pytest.importorskip("cloudpickle")
    import threading

    lock = threading.Lock()

    def locked() -> None:
        lock.acquire()

    with pytest.raises(RefusalError, match="cannot travel as a value") as refused:
        route_of(locked)
    assert "inside the function" in refused.value.hint


def test_without_cloudpickle_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['cloudpickle'] = None\n"
        "from gigawatt.sdk.travel import route_of\n"
        "try: route_of(lambda: 1)\n"
        "except Exception as error: print(error, '|', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "takes cloudpickle | pip install 'gigawatt[notebook]'" in done.stdout


def test_decorating_loads_no_http_client() -> None:
    code = (
        "import sys, gigawatt as gw\n@gw.job(gpus=1)\ndef f(): return 1\n"
        "assert f() == 1\nprint('httpx2' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
