"""The file of a gateway that stands alone: where its servers are."""

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.spec.gateway_form import server


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("http://gpu-7.cluster/", ("gpu-7.cluster", 80)),
        ("http://[::1]:9", ("::1", 9)),
    ],
)
def test_the_address_of_a_server_is_read(url: str, told: tuple[str, int]) -> None:
    assert server(url, 0) == told


@pytest.mark.parametrize(
    "url",
    [
        "https://host:1",
        "host:8000",
        "http://",
        "http://host:0",
        "http://host:70000",
        "http://host:1/v1",
        "http://user:key@host:1",
        "http://::1:9",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_with_its_place(url: str) -> None:
    with pytest.raises(RefusalError) as refused:
        server(url, 3)
    assert refused.value.field == "models[3].servers"
    assert "http://HOST:PORT" in refused.value.hint
