"""Names: which are allowed, which are taken, and the one a job gets when its author gave none."""

import re

from gigawatt.spec.limits import NAME_CHARS_MAX

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
NAME_HINT = "use 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
SERVED_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$"
SERVED_NAME_HINT = "use 1 to 128 of letters, digits and ._/:- , starting with a letter or digit"
ALIAS_PATTERN = r"^[a-z][a-z0-9-]{0,62}$"
ALIAS_HINT = "use 1 to 63 of a-z, 0-9 and '-', starting with a letter"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,254}$"
LABEL_KEY_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"

RESERVED_ENV = frozenset(
    {
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "GROUP_RANK",
        "NODE_RANK",
        "MASTER_ADDR",
        "MASTER_PORT",
        "CUDA_VISIBLE_DEVICES",
        "VIRTUAL_ENV",
    }
)
RESERVED_ENV_OF_REPLICAS = frozenset({"PORT"})
RESERVED_ENV_PREFIX = "GIGAWATT_"

_ENV_NAME = re.compile(ENV_NAME_PATTERN)
_LAUNCHERS = frozenset(
    {"python", "python3", "torchrun", "bash", "sh", "uv", "run", "exec", "env", "-m", "-u"}
)
_CODE = frozenset({"-c", "-lc", "-ec"})  # what follows is a program, not a name
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def env_name_fault(name: str, *, replica: bool) -> tuple[str, str] | None:
    """What is wrong with the name of an environment variable, and a hint; None where nothing is."""
    if not _ENV_NAME.fullmatch(name):
        return "is not a name for an environment variable", "use letters, digits and '_'"
    reserved = name in RESERVED_ENV or name.startswith(RESERVED_ENV_PREFIX)
    if reserved or (replica and name in RESERVED_ENV_OF_REPLICAS):
        return "is set by gigawatt itself", "choose another name"
    return None


def default_name(command: str) -> str:
    """A name for a job from what it runs: `python src/train.py --lr 1` is `train`. `command` is as it was written."""
    words = command.split()
    cut = next((place for place, word in enumerate(words) if word in _CODE), len(words))
    if cut < len(words):
        return _name_of(words[cut - 1]) if cut else "job"  # the interpreter names it
    chosen = next((word for word in words if word not in _LAUNCHERS and "=" not in word), "")
    return _name_of(chosen)


def _name_of(word: str) -> str:
    stem = word.rsplit("/", 1)[-1].split(".", 1)[0].lower()
    name = _NOT_IN_NAMES.sub("-", stem).strip("-")[:NAME_CHARS_MAX].strip("-")
    return name or "job"
