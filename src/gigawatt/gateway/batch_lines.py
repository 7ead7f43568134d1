"""The lines of a batch's file: what each asks for, and how an answer is written. No I/O."""

import json
from dataclasses import dataclass
from typing import cast

from gigawatt.gateway.errors import ErrorReply

LINES_MAX = 50_000
CUSTOM_ID_CHARS_MAX = 256
ERRORS_TOLD_MAX = 20  # of a file that is refused
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    number: int  # from 1
    custom_id: str
    model: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFault:
    code: str
    message: str
    line: int | None

    def payload(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, "param": None, "line": self.line}


def parse_lines(content: bytes, endpoint: str) -> list[Line] | list[LineFault]:
    """Every line, or what is wrong with those that are wrong. Blank ones are passed over."""
    lines: list[Line] = []
    faults: list[LineFault] = []
    seen: dict[str, int] = {}
    for number, text in enumerate(content.split(b"\n"), start=1):
        if not text.strip():
            continue
        if len(lines) >= LINES_MAX:
            told = f"The file has more than {LINES_MAX} lines."
            return [LineFault(code="too_many_tasks", message=told, line=number)]
        found = _line(text, number, endpoint)
        if isinstance(found, Line) and found.custom_id in seen:
            told = f"custom_id {found.custom_id!r} is that of line {seen[found.custom_id]} too."
            found = LineFault(code="duplicate_custom_id", message=told, line=number)
        if isinstance(found, LineFault):
            faults.append(found)
            if len(faults) >= ERRORS_TOLD_MAX:
                break
            continue
        seen[found.custom_id] = number
        lines.append(found)
    if not lines and not faults:
        faults.append(LineFault(code="empty_file", message="The file has no lines.", line=None))
    return faults or lines


def answer_line(line: Line, *, id: str, status: int, request_id: str, body: bytes) -> bytes:
    """Of the output or the error file: a reply."""
    try:
        told: object = json.loads(body)
    except ValueError:
        told = body.decode(errors="replace")
    response = {"status_code": status, "request_id": request_id, "body": told}
    return _written(line, id, response, None)


def error_line(line: Line, *, id: str, code: str, message: str) -> bytes:
    """Of the error file: there was no reply."""
    return _written(line, id, None, {"code": code, "message": message})


def refused_line(line: Line, *, id: str, error: ErrorReply) -> bytes:
    """Of the error file: what a client would have been answered."""
    return answer_line(line, id=id, status=error.status, request_id="", body=error.body())


def _line(text: bytes, number: int, endpoint: str) -> Line | LineFault:
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        told = f"This line is not JSON: {error}."
        return LineFault(code="invalid_json_line", message=told, line=number)
    if not isinstance(read, dict):
        told = "This line is not a JSON object."
        return LineFault(code="invalid_json_line", message=told, line=number)
    fields = cast("dict[str, object]", read)
    wrong = _wrong(fields, endpoint)
    if wrong:
        return LineFault(code="invalid_request", message=wrong, line=number)
    body = cast("dict[str, object]", fields["body"])
    return Line(
        number=number,
        custom_id=str(fields["custom_id"]),
        model=str(body["model"]),
        body=json.dumps(body).encode(),
    )


def _wrong(fields: dict[str, object], endpoint: str) -> str:
    """What is wrong with a line; empty where nothing is."""
    custom_id, body = fields.get("custom_id"), fields.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= CUSTOM_ID_CHARS_MAX:
        return f"custom_id must be a text of 1 to {CUSTOM_ID_CHARS_MAX} characters."
    if fields.get("method", "POST") != "POST":
        return "method must be POST."
    if fields.get("url") != endpoint:
        return f"url must be that of the batch, {endpoint}."
    if not isinstance(body, dict):
        return "body must be a JSON object."
    asked = cast("dict[str, object]", body)
    if not isinstance(asked.get("model"), str) or not asked["model"]:
        return "body.model must be the name of a model."
    return "A batch cannot stream: leave body.stream out." if asked.get("stream") else ""


def _written(line: Line, id: str, response: object, error: object) -> bytes:
    return json.dumps(
        {"id": id, "custom_id": line.custom_id, "response": response, "error": error}
    ).encode()
