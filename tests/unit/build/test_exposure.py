"""Who may be reached from other machines, and on which terms."""

import pytest

from gigawatt.build.exposure import check_exposed, is_loopback
from gigawatt.model.refusal import RefusalError


def test_loopback_is_told_from_the_rest() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [
        True
    ] * 4
    others = ("0.0.0.0", "::", "10.0.0.1", "gpus.example.org", "localhost.example.org", "")
    assert [is_loopback(host) for host in others] == [False] * 6


def test_only_what_others_cannot_reach_may_be_without_tls() -> None:
    check_exposed("127.0.0.1", tls=False, insecure=False)
    check_exposed("0.0.0.0", tls=True, insecure=False)
    check_exposed("0.0.0.0", tls=False, insecure=True)
    with pytest.raises(RefusalError, match=r"on 0\.0\.0\.0 other machines reach it") as refused:
        check_exposed("0.0.0.0", tls=False, insecure=False)
    assert "--insecure-no-tls" in refused.value.hint
