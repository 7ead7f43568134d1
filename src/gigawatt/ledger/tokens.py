"""Token counts summed by what they are of."""

from collections.abc import Iterable, Sequence

from gigawatt.model.bill import MeterEntry
from gigawatt.model.prices import Meter
from gigawatt.model.tokens import HOUR_MS, TokenUse

SUBJECTS = ("tenant", "project", "key", "model", "endpoint", "hour")

Counted = tuple[int, int, int, int]  # requests; tokens of prompts, those cached, of completions


def total(uses: Iterable[TokenUse], by: Sequence[str]) -> dict[tuple[str, ...], Counted]:
    """Sums of `uses` by the values of the subjects `by`, each of SUBJECTS; sorted by them. An hour is the millisecond it began."""
    sums: dict[tuple[str, ...], Counted] = {}
    for use in uses:
        subject = tuple(_value(use, name) for name in by)
        requests, prompt, cached, completion = sums.get(subject, (0, 0, 0, 0))
        sums[subject] = (
            requests + use.requests,
            prompt + use.prompt_tokens,
            cached + use.cached_tokens,
            completion + use.completion_tokens,
        )
    return dict(sorted(sums.items()))


def more(use: TokenUse, before: TokenUse | None) -> list[MeterEntry]:
    """What a row has counted since it was last told, for the ledger. Tokens that a cache had are no prompt's."""
    cached = use.cached_tokens - (before.cached_tokens if before else 0)
    prompt = use.prompt_tokens - (before.prompt_tokens if before else 0)
    completion = use.completion_tokens - (before.completion_tokens if before else 0)
    amounts = {Meter.PROMPT: prompt - cached, Meter.CACHED: cached, Meter.COMPLETION: completion}
    return [
        MeterEntry(
            at_ms=use.created_ms + HOUR_MS,
            meter=meter.value,
            quantity=amount,
            tenant=use.tenant,
            project=use.project,
            subject=use.endpoint,
            sku=use.model,
            key=use.key,
        )
        for meter, amount in amounts.items()
        if amount
    ]


def _value(use: TokenUse, name: str) -> str:
    assert name in SUBJECTS, name
    return str(use.created_ms) if name == "hour" else getattr(use, name)
