"""What replicas say of themselves reaches the control plane with the demand."""

import json

import pytest

from tests.contract.gateway.http_server import Received, Reply
from tests.contract.gateway.site import Site, endpoint

pytestmark = pytest.mark.slow

PAGE = b"""# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.42
"""


def test_the_fullest_cache_is_told_and_a_replica_that_says_nothing_does_not_matter(
    site: Site,
) -> None:
    full, mute = site.replica("full"), site.replica("mute")

    async def say(received: Received, reply: Reply) -> None:
        assert (received.method, received.path) == ("GET", "/metrics")
        await reply.whole(200, PAGE)

    full.behaviour = say
    mute.behaviour = mute.die_before_the_first_byte
    replicas = (("full", full.server.port), ("mute", mute.server.port))
    site.start(endpoint(*replicas, gauges_of="vllm"))
    site.until(lambda: any(each["cache_percent"] == 42 for each in site.control.demands))
    assert mute.received


def test_other_endpoints_are_not_asked(site: Site) -> None:
    asked, left = site.replica("asked"), site.replica("left")
    first = endpoint(("asked", asked.server.port), gauges_of="llamacpp")
    second = endpoint(("left", left.server.port)) | {"id": "endpoint-2", "served_name": "b"}
    third = endpoint(("left", left.server.port), gauges_of="newer") | {"id": "endpoint-3"}
    site.start(first, second, third | {"served_name": "c"})
    site.until(lambda: len(asked.received) >= 2)
    assert json.dumps([each.path for each in asked.received[:2]]) == '["/metrics", "/metrics"]'
    assert left.received == []
