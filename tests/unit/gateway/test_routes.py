import pytest

from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.routes import Action, Route, find_route


@pytest.mark.parametrize(
    ("method", "target", "action"),
    [
        (b"POST", b"/v1/chat/completions", Action.CALL),
        (b"POST", b"/v1/chat/completions?a=b", Action.CALL),
        (b"POST", b"http://gateway:80/v1/completions", Action.CALL),
        (b"POST", b"/v1/embeddings#x", Action.CALL),
        (b"GET", b"/v1/models", Action.MODELS),
        (b"HEAD", b"/v1/models", Action.MODELS),
        (b"GET", b"/v1/models/m", Action.MODEL),
        (b"GET", b"/health", Action.HEALTH),
        (b"GET", b"/readyz", Action.READY),
        (b"GET", b"/metrics", Action.METRICS),
        (b"OPTIONS", b"/v1/embeddings", Action.OPTIONS),
        (b"OPTIONS", b"*", Action.OPTIONS),
    ],
)
def test_what_is_asked_for(method: bytes, target: bytes, action: Action) -> None:
    route = find_route(method, target)
    assert isinstance(route, Route)
    assert route.action is action


@pytest.mark.parametrize(
    ("target", "model"),
    [
        (b"/v1/models/org/m", "org/m"),
        (b"/v1/models/org%2Fm%20x", "org/m x"),
        ("/v1/models/é".encode(), "é"),
    ],
)
def test_a_models_name_is_the_rest_of_the_path(target: bytes, model: str) -> None:
    route = find_route(b"GET", target)
    assert isinstance(route, Route)
    assert route.model == model


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        (b"GET", b"/", 404),
        (b"GET", b"/v1/models/", 404),
        (b"POST", b"/v1/chat/completions/", 404),
        (b"POST", b"http://gateway", 404),
        (b"POST", b"/V1/completions", 404),
        (b"PUT", b"/v1/completions", 405),
        (b"POST", b"/v1/models/m", 405),
        (b"TRACE", b"/health", 405),
        (b"GET", b"/v1/models/%ff", 400),
    ],
)
def test_what_is_not_there(method: bytes, target: bytes, status: int) -> None:
    error = find_route(method, target)
    assert isinstance(error, ErrorReply)
    assert error.status == status
