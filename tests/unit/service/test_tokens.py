"""Keys and rank tokens: found by their hash, and worth nothing when anything about them is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.tenant import Role
from gigawatt.service.tokens import Claims, Owner, RankTokens, kept_key, key_id, new_key

OWNER = Owner(tenant="t", project="", name="ci", role=Role.DEVELOPER, created_by="admin")
CLAIMS = Claims(gang="job-1", attempt=2, tenant="t", project="p", expires_ms=1_000)
TOKENS = RankTokens(b"s" * 32)


def test_a_key_is_shown_once_and_only_its_hash_is_kept() -> None:
    secret, key = new_key(OWNER, entropy=bytes(range(32)), now_ms=5)
    assert secret == "gw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"  # not a secret
    assert secret not in repr(key)
    assert key.prefix == secret[:9]
    assert key == kept_key(secret, OWNER, now_ms=5)
    assert key.id == key_id(key.sha256)


def test_a_ranks_token_says_what_it_was_issued_for_until_it_expires() -> None:
    token = TOKENS.issue(CLAIMS)
    assert token.startswith("gwr_")
    assert TOKENS.read(token, now_ms=999) == CLAIMS
    assert TOKENS.read(token, now_ms=1_000) is None


def test_a_token_of_another_instance_is_worth_nothing() -> None:
    assert RankTokens(b"x" * 32).read(TOKENS.issue(CLAIMS), now_ms=0) is None


@given(st.integers(min_value=4, max_value=10_000), st.characters(codec="utf-8"))
def test_a_token_with_any_character_changed_is_worth_nothing(place: int, character: str) -> None:
    token = TOKENS.issue(CLAIMS)
    place = 4 + place % (len(token) - 4)
    if token[place] != character:
        assert TOKENS.read(token[:place] + character + token[place + 1 :], now_ms=0) is None


@pytest.mark.parametrize("token", ["gwr_", "gwr_.", "gwr_a.b", "gwr_é.é", "gwr_" + "A" * 5_000])
def test_what_is_no_token_is_worth_nothing(token: str) -> None:
    assert TOKENS.read(token, now_ms=0) is None
