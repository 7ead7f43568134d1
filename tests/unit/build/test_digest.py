"""Digests from outside."""

import pytest

from gigawatt.build.digest import parse_digest
from gigawatt.model.refusal import RefusalCode, RefusalError

HEX = "0123456789abcdef" * 4


def test_a_digest_is_its_hex_digits() -> None:
    assert parse_digest("sha256:" + HEX) == HEX


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (HEX, f"write sha256:{HEX}"),
        ("SHA256:" + HEX.upper(), f"write sha256:{HEX}"),
        ("sha256:" + HEX + "\n", f"write sha256:{HEX}"),
        ("md5:00", "a digest is sha256: and 64 hex digits in lower case"),
        ("sha256:../../etc/passwd", "a digest is sha256: and 64 hex digits in lower case"),
        ("", "a digest is sha256: and 64 hex digits in lower case"),
        ("x" * 1000, "a digest is sha256: and 64 hex digits in lower case"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(RefusalError) as caught:
        parse_digest(text, field="bundle")
    refusal = caught.value
    assert (refusal.code, refusal.field, refusal.hint) == (RefusalCode.INVALID, "bundle", hint)
    assert len(refusal.detail) < 200
