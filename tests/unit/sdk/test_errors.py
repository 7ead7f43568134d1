"""Problems, as the API sends them and as anything else may."""

from gigawatt.model.refusal import Fault
from gigawatt.sdk.errors import ApiError, Problem, problem_of


def test_a_problem_is_read_whole() -> None:
    body = {
        "type": "urn:gigawatt:problem:unknown-field",
        "title": "Unknown field",
        "status": 422,
        "detail": "comand is not a known field",
        "hint": "did you mean 'command'?",
        "field": "comand",
        "faults": [{"field": "comand", "detail": "comand is not a known field", "hint": ""}],
    }
    assert problem_of(422, body, "") == Problem(
        status=422,
        code="unknown-field",
        type="urn:gigawatt:problem:unknown-field",
        title="Unknown field",
        detail="comand is not a known field",
        hint="did you mean 'command'?",
        field="comand",
        faults=(Fault(field="comand", detail="comand is not a known field"),),
    )


def test_what_is_no_problem_becomes_one_with_its_first_line() -> None:
    problem = problem_of(502, None, "Bad gateway\n<html>")
    assert problem == Problem(status=502, code="", title="HTTP 502", detail="Bad gateway")
    assert str(ApiError(problem_of(500, None, ""))) == "HTTP 500"
