"""The runner of functions in a rank: what it runs, what it leaves, and what it says when it cannot."""

import base64
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from gigawatt.rank import call
from gigawatt.rank.call import CALL, CALL_FORMAT, INLINE, CallError, encoded, error_body, live, main
from gigawatt.sdk.errors import RemoteError, ResultError
from gigawatt.sdk.results import Trust, error_of, read_result, value_of

KEY = b"k" * 32


def said(function: dict[str, Any], *args: Any, path: tuple[str, ...] = ()) -> str:
    told = {
        "format": CALL_FORMAT,
        "function": function,
        "path": list(path),
        "arguments": pickle.dumps((args, {})),
        "key": KEY,
    }
    return INLINE + base64.b64encode(pickle.dumps(told)).decode()


@pytest.fixture
def rank(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of rank 2 in attempt 3, and where it leaves its result."""
    for name, value in (("RANK", "2"), ("GIGAWATT_ATTEMPT", "3")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIGAWATT_CHECKPOINT_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path / ".results" / "rank-2"


def test_what_a_function_returns_is_left_with_its_digest(
    rank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CALL, said({"how": "module", "module": "math", "name": "gcd"}, 12, 18))
    assert main() == 0
    returned = read_result(rank.read_bytes(), Trust(key=KEY))
    assert (returned.ok, returned.rank, returned.attempt) == (True, 2, 3)
    assert returned.proven
    assert value_of(returned, Trust(key=KEY)) == 6
    assert list(rank.parent.iterdir()) == [rank]


def test_a_function_of_a_module_in_a_directory_of_the_bundle_is_found(
    rank: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "unit_module.py").write_text(
        "class Outer:\n    @staticmethod\n    def f(x):\n        return (x,)\n"
    )
    function = {"how": "module", "module": "unit_module", "name": "Outer.f"}
    monkeypatch.setenv(CALL, said(function, 1, path=(str(tmp_path / "code"),)))
    assert main() == 0
    assert value_of(read_result(rank.read_bytes(), Trust(key=KEY)), Trust(key=KEY)) == (1,)


def test_an_exception_is_left_and_printed_and_fails_the_rank(
    rank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CALL, said({"how": "module", "module": "math", "name": "sqrt"}, -1))
    assert main() == 1
    assert "ValueError" in capsys.readouterr().err
    error = error_of(read_result(rank.read_bytes(), Trust(key=KEY)), Trust(key=KEY))
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ({"how": "module", "module": "no_such_module", "name": "f"}, "neither in the job's bundle"),
        ({"how": "module", "module": "math", "name": "nothing"}, "no attribute 'nothing'"),
        ({"how": "value", "python": "2.7", "digest": ""}, "by Python 2.7, and this rank runs"),
    ],
)
def test_a_function_that_is_not_there_is_told_in_words(
    rank: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    function: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.setenv(CALL, said(function))
    assert main() == 1
    told = str(error_of(read_result(rank.read_bytes(), Trust(key=KEY)), Trust(key=KEY)))
    assert words in told
    assert words in capsys.readouterr().err


def test_started_by_hand_it_says_what_it_is_for(
    rank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(CALL, raising=False)
    assert main() == 1
    assert "GW_CALL is not set" in capsys.readouterr().err
    assert rank.exists()


def test_a_call_of_another_format_is_refused(
    rank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = base64.b64encode(pickle.dumps({"format": "gigawatt-call-9", "key": KEY})).decode()
    monkeypatch.setenv(CALL, INLINE + other)
    assert main() == 1
    assert "the client sent gigawatt-call-9" in capsys.readouterr().err


@pytest.mark.parametrize("value", [None, 1, 1.5, "a", [1, ["b"]], {"a": {"b": [True]}}])
def test_plain_values_travel_as_json(value: Any) -> None:
    encoding, body = encoded(value)
    assert (encoding, json.loads(body)) == ("json", value)


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {"a": (1,)}, b"bytes", {1, 2}, 1j])
def test_what_json_would_change_travels_as_a_pickle(value: Any) -> None:
    encoding, body = encoded(value)
    assert (encoding, pickle.loads(body)) == ("pickle", value)


def test_a_list_nested_beyond_the_limit_travels_as_a_pickle() -> None:
    value: list[Any] = []
    for _ in range(call.JSON_DEPTH_MAX + 1):
        value = [value]
    assert encoded(value)[0] == "pickle"


def test_what_cannot_be_pickled_says_what_to_return_instead() -> None:
    with pytest.raises(CallError, match="a function, cannot be pickled"):
        encoded(lambda: 1)


def test_an_exception_that_does_not_survive_a_pickle_is_told_in_words() -> None:
    class LocalError(Exception): ...

    told = json.loads(error_body(LocalError("words")))
    assert (told["pickle"], told["message"]) == ("", "words")
    assert told["type"].endswith("LocalError")


def test_a_class_lives_through_its_methods_and_is_torn_down_when_it_fails() -> None:
    lived: list[str] = []

    class Work:
        def __init__(self, fails: bool) -> None:  # noqa: FBT001 - a job's argument
            self.fails = fails

        def setup(self) -> None:
            lived.append("setup")

        def run(self) -> str:
            if self.fails:
                raise OSError("broken")
            return "done"

        def teardown(self) -> None:
            lived.append("teardown")

    assert live(Work, (False,), {}) == "done"
    with pytest.raises(OSError, match="broken"):
        live(Work, (), {"fails": True})
    assert lived == ["setup", "teardown"] * 2


def result(monkeypatch: pytest.MonkeyPatch, rank: Path, name: str, *args: Any) -> bytes:
    monkeypatch.setenv(CALL, said({"how": "module", "module": "builtins", "name": name}, *args))
    main()
    return rank.read_bytes()


def test_a_damaged_result_is_not_read(rank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = result(monkeypatch, rank, "len", "four")
    for damaged in (data[:-1], data.replace(b"\n4", b"\n5"), data + b"x"):
        with pytest.raises(ResultError, match="damaged"):
            read_result(damaged, Trust(key=KEY))
    for foreign in (b"", b"hello", b'{"format": "other"}\n', b"\xff\xfe"):
        with pytest.raises(ResultError):
            read_result(foreign, Trust(key=KEY))


def test_a_pickle_that_nothing_proves_is_not_loaded_unless_asked_for(
    rank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = result(monkeypatch, rank, "divmod", 7, 2)
    for trust in (Trust(), Trust(key=b"another")):
        with pytest.raises(ResultError, match="nothing proves where it comes from"):
            value_of(read_result(data, trust), trust)
    assert value_of(read_result(data, Trust(anyway=True)), Trust(anyway=True)) == (3, 1)
    failed = result(monkeypatch, rank, "int", "x")
    error = error_of(read_result(failed, Trust()), Trust())
    assert isinstance(error, RemoteError)
    assert error.kind == "ValueError"
    assert "invalid literal" in str(error)


def test_a_head_that_was_altered_proves_nothing(
    rank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = result(monkeypatch, rank, "divmod", 7, 2)
    returned = read_result(data.replace(b'"attempt": 3', b'"attempt": 4'), Trust(key=KEY))
    assert returned.attempt == 4
    assert not returned.proven


def test_a_pickle_of_a_class_that_is_not_here_says_so(
    rank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = result(monkeypatch, rank, "divmod", 7, 2)
    head, _, _ = data.partition(b"\n")
    returned = read_result(data, Trust(key=KEY))
    assert head.startswith(b"{")
    broken = type(returned)(
        ok=True,
        rank=0,
        attempt=1,
        encoding="pickle",
        python="2.7",
        at_ms=0,
        body=b"cno_such_module\nThing\n.",
        proven=True,
    )
    with pytest.raises(ResultError, match=r"by Python 2\.7.*ModuleNotFoundError"):
        value_of(broken, Trust())
