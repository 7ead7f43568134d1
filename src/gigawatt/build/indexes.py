"""Indexes that an environment names itself, said to uv in its variables: secrets never stand in arguments or URLs."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gigawatt.build.pip_config import PipConfig
from gigawatt.build.secrets import Secret, check_use
from gigawatt.model.environment import Index

NAME = "gigawatt{}"
SecretOf = Callable[[str, str], Secret]  # (owner, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """An index and what it is entered with."""

    index: Index
    secret: Secret | None


def entered(indexes: tuple[Index, ...], secret_of: SecretOf) -> tuple[Entered, ...]:
    """Indexes with their secrets, in order. Raises RefusalError where one is not there, or is for another address."""
    found: list[Entered] = []
    for index in indexes:
        secret = secret_of(index.owner, index.secret) if index.secret else None
        if secret is not None:
            check_use(secret, index.url)
        found.append(Entered(index=index, secret=secret))
    return tuple(found)


def with_indexes(config: PipConfig, indexes: tuple[Entered, ...]) -> PipConfig:
    """The machine's configuration after these indexes. One without any index gets the first of them as its only one.

    With a secret, source distributions are left out: their build would run with the secret in its variables.
    """
    if not indexes:
        return config
    urls = [f"{NAME.format(at)}={each.index.url}" for at, each in enumerate(indexes)]
    if config.no_index:
        config = replace(config, no_index=False, index_url=urls[0], extra_index_urls=())
        urls = urls[1:]
    if any(each.secret for each in indexes):
        config = replace(config, only_binary=(":all:",), no_binary=())
    return replace(config, extra_index_urls=(*urls, *config.extra_index_urls))


def index_environ(indexes: tuple[Entered, ...]) -> dict[str, str]:
    """Uv's variables for them. A name that one of them has is never taken from an index behind it."""
    found = {"UV_INDEX_STRATEGY": "first-index"} if indexes else {}
    for at, each in enumerate(indexes):
        if each.secret is not None:
            name = NAME.format(at).upper()
            found[f"UV_INDEX_{name}_USERNAME"] = each.secret.user
            found[f"UV_INDEX_{name}_PASSWORD"] = each.secret.password
    return found


def without_indexes(environ: Mapping[str, str]) -> dict[str, str]:
    """The same variables for a step that runs code of a package: nothing of these indexes, nor of their secrets."""
    prefix = NAME.format("")
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(f"UV_INDEX_{prefix.upper()}")
    }
    for name in ("UV_INDEX", "UV_DEFAULT_INDEX"):
        words = [word for word in kept.get(name, "").split() if not word.startswith(prefix)]
        if name in kept:
            kept[name] = " ".join(words)
            if not words:
                del kept[name]
    return kept


def spoken(indexes: tuple[Entered, ...]) -> tuple[str, ...]:
    """Every form in which a secret could be repeated, the longest first."""
    forms: set[str] = set()
    for each in indexes:
        if each.secret is not None:
            pair = f"{each.secret.user}:{each.secret.password}"
            encoded = base64.b64encode(pair.encode()).decode()
            forms |= {each.secret.value, each.secret.password, pair, encoded}
    return tuple(sorted(forms - {""}, key=lambda form: (-len(form), form)))
