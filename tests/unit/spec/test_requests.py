"""The smaller forms of the API."""

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.spec.requests import (
    DemandReport,
    KeyRequest,
    ModelRequest,
    NodeStateRequest,
    parse_alias,
    parse_request,
)


def test_a_key_is_a_developers_unless_it_says_otherwise() -> None:
    assert parse_request(KeyRequest, b'{"name": "ci"}').role == "developer"


def test_nobody_can_ask_for_a_ranks_role() -> None:
    with pytest.raises(RefusalError) as caught:
        parse_request(KeyRequest, b'{"name": "ci", "role": "rank"}')
    assert caught.value.field == "role"


def test_a_person_cannot_ask_for_a_node_to_be_down() -> None:
    with pytest.raises(RefusalError) as caught:
        parse_request(NodeStateRequest, b'{"state": "down"}')
    assert "'draining', 'repair' or 'retired'" in caught.value.detail


def test_a_models_digest_and_figures_are_checked() -> None:
    with pytest.raises(RefusalError) as caught:
        parse_request(ModelRequest, b'{"name": "m", "digest": "x", "metrics": {"loss": "low"}}')
    assert [fault.field for fault in caught.value.faults] == ["digest", "metrics.loss"]


def test_demand_is_never_negative() -> None:
    with pytest.raises(RefusalError) as caught:
        parse_request(DemandReport, b'{"gateway": "g", "endpoints": [{"id": "e", "queued": -1}]}')
    assert caught.value.field == "endpoints.0.queued"


def test_an_alias_is_a_word() -> None:
    assert parse_alias("prod") == "prod"
    for wrong in ("3", "", "Prod", "a/b", "a" * 64):
        with pytest.raises(RefusalError):
            parse_alias(wrong)
