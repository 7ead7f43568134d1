from gigawatt.ledger.tokens import total
from gigawatt.model.tokens import HOUR_MS, TokenUse


def use(key: str, endpoint: str, hour: int) -> TokenUse:
    return TokenUse(
        id=f"{key}{endpoint}{hour}",
        created_ms=hour * HOUR_MS,
        tenant="acme",
        project="default",
        key=key,
        model="m",
        endpoint=endpoint,
        requests=1,
        prompt_tokens=10,
        cached_tokens=4,
        completion_tokens=2,
    )


USES = [use("b", "e1", 0), use("a", "e1", 0), use("a", "e2", 1), use("a", "e1", 1)]


def test_counts_are_summed_by_what_is_asked_for_and_sorted() -> None:
    assert total(USES, ()) == {(): (4, 40, 16, 8)}
    assert total(USES, ("key",)) == {("a",): (3, 30, 12, 6), ("b",): (1, 10, 4, 2)}
    assert list(total(USES, ("endpoint", "key"))) == [("e1", "a"), ("e1", "b"), ("e2", "a")]
    assert list(total(USES, ("hour",))) == [("0",), (str(HOUR_MS),)]
    assert total([], ("key",)) == {}
