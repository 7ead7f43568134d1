"""Model cards: Markdown, led by metadata."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.spec.cards import CardError, card_body, card_metadata
from gigawatt.spec.limits import CARD_METADATA_CHARS_MAX

CARD = """---
license: apache-2.0
tags: [tiny, english]
model-index:
- name: tiny
  results: [{loss: 2.5}]
released: 2026-11-01
---

# Tiny

---
Not metadata any more.
"""


def test_metadata_leads_and_the_rest_is_the_body() -> None:
    assert card_metadata(CARD) == {
        "license": "apache-2.0",
        "tags": ["tiny", "english"],
        "model-index": [{"name": "tiny", "results": [{"loss": 2.5}]}],
        "released": "2026-11-01",
    }
    assert card_body(CARD) == "# Tiny\n\n---\nNot metadata any more.\n"


@pytest.mark.parametrize(
    "text", ["", "# Tiny\n", "---\n---\nbody", "---\nnever closed", "a\n---\n"]
)
def test_a_card_may_have_no_metadata(text: str) -> None:
    assert card_metadata(text) == {}


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("- a\n- b", "begins with metadata that are no fields"),
        ("a: [1", "begins with metadata that cannot be read"),
        ("a: !!python/object:os.system x", "begins with metadata that cannot be read"),
        ("a: .nan", None),
        ("a: !!set {b}", "begins with metadata that cannot be read"),
        ("a: &x [1]\nb: *x", "uses YAML aliases"),
        ("a: " + "x" * CARD_METADATA_CHARS_MAX, "begins with 16388 characters of metadata"),
        ("a: " + "[" * 9_000, "begins with metadata that cannot be read"),
    ],
)
def test_metadata_that_is_not_plain_is_refused(metadata: str, said: str | None) -> None:
    text = f"---\n{metadata}\n---\n"
    if said is None:
        assert card_metadata(text) == {"a": ".nan"}
        return
    with pytest.raises(CardError) as refused:
        card_metadata(text)
    assert refused.value.detail.startswith(said)


@given(text=st.text(max_size=400).map(lambda text: f"---\n{text}\n---\n"))
def test_any_text_is_metadata_or_refused(text: str) -> None:
    try:
        found: dict[str, Any] = card_metadata(text)
    except CardError:
        return
    assert isinstance(found, dict)
