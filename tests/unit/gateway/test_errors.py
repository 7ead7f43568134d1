import json

from gigawatt.gateway.errors import ErrorReply, model_not_found, queue_full, queue_timeout


def test_an_error_has_openais_shape() -> None:
    error = ErrorReply(status=400, code="c", message="\ud800 é", param="p")
    assert json.loads(error.body()) == {
        "error": {"message": "\ud800 é", "type": "invalid_request_error", "param": "p", "code": "c"}
    }
    assert error.event() == b"event: error\ndata: " + error.body() + b"\n\n"


def test_waiting_helps_sooner_where_replicas_run_than_where_one_must_start() -> None:
    full = [queue_full("m", limit=1, ready=ready).retry_after_s for ready in (0, 2)]
    late = [queue_timeout("m", waited_s=1, ready=ready).retry_after_s for ready in (0, 2)]
    assert full == late == [5, 1]


def test_there_being_no_models_is_said() -> None:
    assert "No models" in model_not_found("m", near=None, models=()).message
