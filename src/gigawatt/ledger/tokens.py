"""Token counts summed by what they are of."""

from collections.abc import Iterable, Sequence

from gigawatt.model.tokens import TokenUse

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


def _value(use: TokenUse, name: str) -> str:
    assert name in SUBJECTS, name
    return str(use.created_ms) if name == "hour" else getattr(use, name)
