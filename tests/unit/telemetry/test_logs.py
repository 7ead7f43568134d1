"""Log lines: JSON, whole, and without secrets."""

import json
import logging
from typing import Any

import pytest

from gigawatt.telemetry.logs import JsonLines, redacted

KEY = "gw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"  # not a secret


def line(message: str, *args: object, **extra: Any) -> dict[str, Any]:
    record = logging.LogRecord("gigawatt.test", logging.INFO, "f.py", 1, message, args, None)
    vars(record).update(extra)
    return json.loads(JsonLines().format(record))


def test_a_line_has_time_level_logger_message_and_what_was_added() -> None:
    said = line("job %s started", "job-1", request_id="r1")
    assert said.pop("at_ms") > 0
    assert said == {
        "level": "info",
        "logger": "gigawatt.test",
        "message": "job job-1 started",
        "request_id": "r1",
    }


def test_a_message_of_several_lines_stays_one_line() -> None:
    record = logging.LogRecord("l", logging.INFO, "f.py", 1, "a\nb\u2028c", (), None)
    assert "\n" not in JsonLines().format(record)


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"Authorization: Bearer {KEY}",
        "authorization: bearer abc.def-ghi",
        "gwr_WyJqb2ItMSJd.c2lnbmF0dXJlc2lnbmF0dXJl",
        "https://user:pass" + "word@index.test/simple",
    ],
)
def test_no_secret_gets_into_a_line(text: str) -> None:
    for said in (line(text), line("x", header=text), line("x", nested={"a": [text]})):
        whole = json.dumps(said)
        assert "[redacted]" in whole
        for part in (KEY, "abc.def-ghi", "c2lnbmF0dXJl", "password"):
            assert part not in whole


def test_what_is_no_secret_stays() -> None:
    for text in ("gw_jobs", "a bearer of news", "http://127.0.0.1:8484/v1/jobs?name=a@b"):
        assert redacted(text) == text


def test_an_exception_is_logged_with_its_traceback() -> None:
    error = ValueError(f"with {KEY}")
    info = (type(error), error, None)
    record = logging.LogRecord("l", logging.ERROR, "f.py", 1, "failed", (), info)
    said = json.loads(JsonLines().format(record))
    assert "ValueError: with [redacted]" in said["traceback"]


def test_what_json_cannot_say_is_told_by_its_repr() -> None:
    assert line("x", value={1}, other=object())["value"] == "{1}"
