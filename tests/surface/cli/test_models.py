"""`gw models` and `gw lineage`: history, cards, where a model is from."""

import json
from pathlib import Path
from typing import Any

from tests.surface.cli.conftest import Gw
from tests.surface.cli.double import NOW_MS, Answer, ApiDouble

MOVE = {
    "alias": "prod",
    "before": 0,
    "after": 3,
    "at_ms": NOW_MS,
    "by": "ada",
    "reason": "loss 2.1",
}
CARD: dict[str, Any] = {
    "ref": "gpt:3",
    "origin": "set",
    "text": "# GPT\n",
    "body": "# GPT\n",
    "metadata": {},
    "at_ms": NOW_MS,
    "by": "ada",
}
MODEL: dict[str, Any] = {
    "name": "gpt",
    "tenant": "default",
    "project": "default",
    "newest": 3,
    "aliases": {},
    "versions": [],
    "version": 2,
}
GRAPH: dict[str, Any] = {
    "root": "model:gpt:3",
    "nodes": [
        {
            "id": "model:gpt:3",
            "kind": "model",
            "label": "gpt:3",
            "facts": {"size_bytes": "2048", "created_ms": "1"},
        },
        {"id": "job:job-1", "kind": "job", "label": "train", "facts": {"attempt": "2"}},
        {"id": "bundle:b", "kind": "bundle", "label": "sha256:" + "a" * 64, "facts": {}},
        {"id": "environment:host", "kind": "environment", "label": "host", "facts": {}},
        {"id": "endpoint:e", "kind": "endpoint", "label": "chat", "facts": {"phase": "ready"}},
    ],
    "edges": [
        {"source": "job:job-1", "target": "model:gpt:3", "relation": "was made by"},
        {"source": "bundle:b", "target": "job:job-1", "relation": "ran the code"},
        {"source": "environment:host", "target": "job:job-1", "relation": "ran in"},
        {"source": "model:gpt:3", "target": "endpoint:e", "relation": "serves"},
    ],
    "cut": False,
}


def test_history_shows_who_moved_an_alias_where_and_why(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/models/gpt/moves", Answer(body={"items": [MOVE], "next": ""}))
    table = gw("models", "history", "gpt", "--alias", "prod").stdout.splitlines()
    assert table[0].split() == ["ALIAS", "FROM", "TO", "AGE", "BY", "REASON"]
    assert table[1].split()[:3] == ["prod", "–", "3"]
    assert table[1].endswith("ada  loss 2.1")
    assert api.sent("GET", "/v1/models/gpt/moves")[0].query["alias"] == ["prod"]
    assert json.loads(gw("models", "history", "gpt", "-o", "json").stdout) == [MOVE]


def test_a_reason_goes_along_when_an_alias_is_moved_and_removed(gw: Gw, api: ApiDouble) -> None:
    path = "/v1/models/gpt/aliases/prod"
    api.on("PUT", path, Answer(body=MODEL))
    api.on("DELETE", path, Answer(body=MODEL))
    gw("models", "alias", "gpt", "prod", "3", "--reason", "loss 2.1")
    gw("models", "alias", "gpt", "prod", "--remove", "--reason", "retired")
    assert api.sent("PUT", path)[0].json == {"number": 3, "reason": "loss 2.1"}
    assert api.sent("DELETE", path)[0].query["reason"] == ["retired"]


def test_a_card_is_printed_and_set(gw: Gw, api: ApiDouble, tmp_path: Path) -> None:
    path = "/v1/models/gpt/versions/prod/card"
    api.on("GET", path, Answer(body=CARD))
    api.on("PUT", path, Answer(body=CARD))
    assert gw("models", "card", "gpt@prod").stdout == "# GPT\n"
    file = tmp_path / "card.md"
    file.write_text("# GPT\n")
    done = gw("models", "card", "gpt@prod", "--set", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert api.sent("PUT", path)[0].json == {"text": "# GPT\n"}
    file.write_bytes(b"\xff\xfe")
    refused = gw("models", "card", "gpt@prod", "--set", str(file))
    assert (refused.exit_code, "it is not UTF-8 text" in refused.stderr) == (2, True)


def test_lineage_is_one_tree_in_both_directions(gw: Gw, api: ApiDouble) -> None:
    api.on("GET", "/v1/models/gpt/versions/latest/lineage", Answer(body=GRAPH))
    assert gw("lineage", "gpt").stdout.splitlines() == [
        "model gpt:3 (size 2 KiB)",
        "├─ was made by job train (attempt 2)",
        "│  ├─ ran the code bundle sha256:aaaaaaaaaaaa",
        "│  └─ ran in environment host",
        "└─ is served by endpoint chat (phase ready)",
    ]
    assert json.loads(gw("lineage", "gpt", "-o", "json").stdout) == GRAPH


def test_a_model_shows_what_its_weights_are(gw: Gw, api: ApiDouble) -> None:
    version: dict[str, Any] = {
        "number": 1,
        "ref": "gpt:1",
        "digest": "sha256:" + "a" * 64,
        "size_bytes": 2048,
        "created_ms": NOW_MS,
        "created_by": "ada",
        "lineage": {"job": "", "attempt": 0},
        "metrics": {},
        "weights": {
            "format": "safetensors",
            "parameters": 1_100_000_000,
            "dtypes": {"BF16": 1_000_000_000, "F32": 100_000_000},
            "architecture": "LlamaForCausalLM",
            "pickles": [],
            "problem": "",
        },
    }
    damaged = {**version, "ref": "gpt:2", "weights": {**version["weights"], "problem": "cut off"}}
    older = {**version, "ref": "gpt:3", "weights": None}
    api.on("GET", "/v1/models/gpt", Answer(body={**MODEL, "versions": [version, damaged, older]}))
    rows = gw("models", "gpt").stdout.splitlines()[1:]
    assert "safetensors, 1.1B BF16+F32, LlamaForCausalLM" in rows[0]
    assert "  damaged  " in rows[1]
    assert "  –  " in rows[2]


def test_damaged_files_are_refused_before_anything_is_sent(
    gw: Gw, api: ApiDouble, tmp_path: Path
) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    result = gw("models", "import", "gpt", str(file))
    assert result.exit_code == 2
    assert "m.gguf: its version ends at byte 8, and the file has 4" in result.stderr
    assert api.requests == []
