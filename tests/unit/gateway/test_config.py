import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from gigawatt.gateway.config import (
    Config,
    ConfigError,
    EndpointConfig,
    KeyConfig,
    ReplicaConfig,
    parse_config,
)
from gigawatt.gateway.config_file import load_config, save_config
from gigawatt.model.endpoint import Routing


def document() -> dict[str, Any]:
    return {
        "revision": 3,
        "instance": "i",
        "unknown": 1,
        "keys": [
            {
                "sha256": "AB",
                "tenant": "t",
                "project": "",
                "id": "k",
                "role": "viewer",
                "expires_ms": 9,
            }
        ],
        "endpoints": [
            {
                "id": "e",
                "tenant": "t",
                "project": "t/p",
                "name": "n",
                "served_name": "s",
                "concurrency": 2,
                "queue_max": 5,
                "queue_timeout_s": 1.5,
                "routing": "prefix",
                "phase": "ready",
                "message": "m",
                "replicas": [
                    {"id": "r2", "host": "h", "port": 2, "ready": True},
                    {"id": "r1", "host": "h", "port": 1, "ready": False},
                ],
                "starting": 1,
            }
        ],
    }


def test_a_configuration_is_read_whole() -> None:
    endpoint = EndpointConfig(
        id="e",
        tenant="t",
        project="t/p",
        name="n",
        served_name="s",
        concurrency=2,
        queue_max=5,
        queue_timeout_s=1.5,
        routing=Routing.PREFIX,
        phase="ready",
        message="m",
        created_ms=0,
        replicas=(
            ReplicaConfig(id="r1", host="h", port=1, ready=False),
            ReplicaConfig(id="r2", host="h", port=2, ready=True),
        ),
    )
    key = KeyConfig(sha256="ab", tenant="t", project="", id="k", role="viewer", expires_ms=9)
    assert parse_config(document()) == Config(
        revision=3,
        instance="i",
        keys={"ab": key},
        endpoints=(endpoint,),
        served={("t", "s"): (endpoint,)},
        projects={},
    )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["revision"], "3", "revision: an integer of at least 0"),
        (["revision"], True, "revision: an integer"),
        (["keys"], {}, "keys: a list"),
        (["keys"], None, "keys: a list"),
        (["endpoints"], None, "endpoints: a list"),
        (["keys", 0], 1, "keys[0]: an object"),
        (["keys", 0, "role"], 1, "keys[0].role: a text"),
        (["endpoints", 0, "concurrency"], 0, "endpoints[0].concurrency: an integer of at least 1"),
        (
            ["endpoints", 0, "queue_timeout_s"],
            float("nan"),
            "endpoints[0].queue_timeout_s: a number",
        ),
        (
            ["endpoints", 0, "replicas", 1, "port"],
            None,
            "endpoints[0].replicas[1].port: an integer",
        ),
    ],
)
def test_a_fault_is_named_by_its_field(path: list[Any], value: object, says: str) -> None:
    broken = document()
    at = broken
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(ConfigError, match=f"^{re.escape(says)}"):
        parse_config(broken)


def test_a_file_is_replaced_as_a_whole_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "gateway" / "config.json"
    assert load_config(path) is None
    for revision in (1, 2):
        save_config(path, json.dumps({**document(), "revision": revision}).encode())
        loaded = load_config(path)
        assert loaded is not None
        assert loaded.revision == revision
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["config.json"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_file_that_cannot_be_used_is_said_to_be(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(ConfigError):
        load_config(path)


def test_a_routing_that_is_not_known_here_is_any_replica() -> None:
    newer = document()
    newer["endpoints"][0]["routing"] = "newer"
    assert parse_config(newer).endpoints[0].routing is Routing.LEAST
