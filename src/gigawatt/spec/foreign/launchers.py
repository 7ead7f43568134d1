"""The programs that start ranks elsewhere: what srun's and torchrun's own options say, and the command they run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from gigawatt.spec.foreign.script import Word, is_assignment

PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
TORCH_MODULES = frozenset({"torch.distributed.run", "torch.distributed.launch"})
OTHERS = frozenset({"mpirun", "mpiexec", "accelerate", "deepspeed", "horovodrun", "prun", "ibrun"})

_SRUN_FLAGS = frozenset(
    {
        *("label", "unbuffered", "verbose", "quiet", "exclusive", "overlap", "overcommit"),
        *("kill-on-bad-exit", "preserve-env", "no-kill", "oversubscribe", "exact", "whole"),
        *(
            "use-min-nodes",
            "contiguous",
            "disable-status",
            "debugger-test",
            "no-container-mount-home",
        ),
        *("container-writable", "mincpus", "spread-job", "pty"),
    }
)
_SRUN_SHORT_FLAGS = frozenset("luvQOskKEZHX")
_SRUN_SHORT = {"n": "ntasks", "N": "nodes", "c": "cpus-per-task", "w": "nodelist", "r": "relative"}
_SRUN_OTHER_SHAPE = frozenset({"nodelist", "relative", "exclude", "multi-prog", "het-group", "pty"})
_SRUN_TOLD = frozenset({"container-image", "container-mounts", "output", "error", "o", "e", "i"})
_TORCH_FLAGS = frozenset({"standalone", "m", "module", "no_python", "run_path", "use_env"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One command that starts ranks. Values are as written: numbers, variables, or empty where none is given."""

    by_srun: bool
    by_torchrun: bool
    before: int  # where the text to replace starts
    start: int  # where the program's own words start
    python: str = ""  # what to put before them
    nodes: str = ""
    ranks: str = ""  # srun's -n
    per_node: str = ""  # torchrun's --nproc_per_node
    max_restarts: str = ""
    told: tuple[str, ...] = ()  # options that say something and are dropped
    fault: str = ""  # why it cannot be understood


@dataclass(slots=True, kw_only=True, frozen=True)
class _Options:
    """The options before a program, by name without dashes, and how many words they take."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    taken: int = 0


def launch_of(words: Sequence[Word]) -> Launch | None:
    """The launch that a command is, or None where it is another command."""
    start = 0
    while start < len(words) and (is_assignment(words[start].text) or words[start].text == "exec"):
        start += 1
    if start == len(words):
        return None
    rest = words[start:]
    if rest[0].plain == "srun":
        return _srun(rest)
    return _torchrun(rest, before=rest[0].start)


def other_launcher(words: Sequence[Word]) -> str:
    """The launcher that a command names and that is not read here; empty where there is none."""
    named = [word.plain.rsplit("/", 1)[-1] for word in words if not is_assignment(word.text)]
    return named[0] if named and named[0] in OTHERS else ""


def _srun(words: Sequence[Word]) -> Launch:
    options = _options(words[1:], _SRUN_FLAGS, _SRUN_SHORT, short_flags=_SRUN_SHORT_FLAGS)
    values = options.values
    rest = words[1 + options.taken :]
    fault = "it names no program" if not rest else ""
    other = sorted(_SRUN_OTHER_SHAPE & set(values))
    if other:
        fault = f"--{other[0]} gives it another shape than the job's"
    told = tuple(f"--{name}" for name in sorted(_SRUN_TOLD & set(values)))
    inner = _torchrun(rest, before=words[0].start) if rest else None
    return Launch(
        by_srun=True,
        by_torchrun=inner is not None,
        before=words[0].start,
        start=inner.start if inner else rest[0].start if rest else words[0].end,
        python=inner.python if inner else "",
        nodes=values.get("nodes", "") or (inner.nodes if inner else ""),
        ranks=values.get("ntasks", ""),
        per_node=inner.per_node if inner else "",
        max_restarts=inner.max_restarts if inner else "",
        told=told,
        fault=fault or (inner.fault if inner else ""),
    )


def _torchrun(words: Sequence[Word], *, before: int) -> Launch | None:
    python, skipped = "python", 1
    first = words[0].plain
    module = len(words) > 2 and words[1].plain == "-m" and words[2].plain in TORCH_MODULES
    if PYTHON.fullmatch(first) and module:
        python, skipped = first, 3
    elif first.rsplit("/", 1)[-1] != "torchrun":
        return None
    options = _options(words[skipped:], _TORCH_FLAGS, {}, short_flags=frozenset("m"), torch=True)
    values = options.values
    rest = words[skipped + options.taken :]
    if "no_python" in values:
        python = ""
    elif {"m", "module"} & set(values):
        python += " -m"
    return Launch(
        by_srun=False,
        by_torchrun=True,
        before=before,
        start=rest[0].start if rest else words[-1].end,
        python=python,
        nodes=values.get("nnodes", ""),
        per_node=values.get("nproc_per_node", "1"),
        max_restarts=values.get("max_restarts", ""),
        fault="" if rest else "it names no program",
    )


def _options(
    words: Sequence[Word],
    flags: frozenset[str],
    short: dict[str, str],
    *,
    short_flags: frozenset[str],
    torch: bool = False,
) -> _Options:
    """The options at the start of `words`. torchrun spells names with `_` or `-`, and knows no joined letters."""
    values: dict[str, str] = {}
    at = 0
    while at < len(words) and words[at].plain.startswith("-") and words[at].plain != "-":
        word = words[at].plain
        at += 1
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("--") and not torch:
            letter, value = word[1], word[2:].removeprefix("=")
            name, takes = short.get(letter, letter), letter not in short_flags
        else:
            name = name.replace("-", "_") if torch else name
            takes = name not in flags and not equals
        if takes and not value and at < len(words):
            value = words[at].plain
            at += 1
        values[name] = value
    return _Options(values=values, taken=at)
