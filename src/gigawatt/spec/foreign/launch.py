"""A script that starts its ranks itself, rewritten for a place where they are started: each rank runs it as a whole.

What is sound to change is changed, and everything else is told: what ran once and runs on every rank now, launchers
that stay as they are, variables that nobody sets here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.launchers import Launch, launch_of, other_launcher
from gigawatt.spec.foreign.script import Line, assigned, commands_of, lines_of, references

NODE_COUNT = "$((WORLD_SIZE / LOCAL_WORLD_SIZE))"
_SET_HERE = frozenset({"MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK"})
_HARMLESS = re.compile(
    r"\s*(?:export|unset|module|ml|source|\.|cd|set|shopt|ulimit|umask|echo|printf|conda|mamba|date|hostname"
    r"|pwd|env|nvidia-smi|trap|true|wait|sleep|exit|if|then|else|elif|fi|for|while|do|done|case|esac|\{|\}|\["
    r"|[A-Za-z_]\w*=\S*)(?:\s|;|$)"
)
_ONCE_SHOWN_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a system's scripts take for granted."""

    name: str
    prefix: str  # of its variables
    exports: Mapping[str, str]  # variable -> the same here, in shell
    by_node: Mapping[str, str]  # in place of those, where torchrun started one process on each node
    lookup: re.Pattern[str]  # finds the addresses of nodes, which is done here
    node_counts: frozenset[str]
    rank_counts: frozenset[str] = frozenset()
    gpu_counts: frozenset[str] = frozenset()
    srun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The gang as the file asks for it, before its script is read. `first_line` is the script's in its file."""

    nodes: int
    ranks_per_node: int
    gpus: int
    literals: Mapping[str, str] = field(default_factory=dict[str, str])
    key: str = "script"
    first_line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """The script for each rank. `launched` says whether it started ranks itself before."""

    script: str
    ranks_per_node: int
    launched: bool
    by_srun: bool
    retries: int = 0

    def fields(self, gang: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a job beside the script: its gang, and retries where torchrun had restarts."""
        ranks = {"ranks_per_node": self.ranks_per_node} if self.ranks_per_node > 1 else {}
        retries = {"retries": {"user": self.retries}} if self.retries else {}
        return {"gang": {**gang, **ranks}, **retries}


def understand(script: str, plan: Plan, dialect: Dialect, findings: Findings) -> Understood:
    """The script as each rank is to run it."""
    reading = _Reading(plan, dialect, findings)
    kept = [text for line in lines_of(script) if (text := reading.read(line)) is not None]
    reading.tell()
    return Understood(
        script=_with_exports("\n".join(kept), reading).strip("\n") + "\n",
        ranks_per_node=reading.ranks_per_node,
        launched=reading.launched,
        by_srun=reading.by_srun,
        retries=reading.retries,
    )


class _Reading:
    """One pass over a script: what was found so far."""

    def __init__(self, plan: Plan, dialect: Dialect, findings: Findings) -> None:
        self.plan = plan
        self.dialect = dialect
        self.findings = findings
        self.ranks_per_node = plan.ranks_per_node
        self.launched = self.by_srun = self.by_torchrun = False
        self.retries = 0
        self._dropped: set[str] = set()
        self._dropped_line = 0
        self._once: list[int] = []

    def read(self, line: Line) -> str | None:
        """The line as it is from now on, or None where it is not needed."""
        if line.blank:
            return line.text
        if "<<" not in line.text:
            text, found = self._launches(line)
            if found:
                return text
        if self._is_lookup(line):
            self._dropped.add(assigned(line.text))
            self._dropped_line = self._dropped_line or line.number
            return None
        gone = sorted(references(line.text) & self._dropped - _SET_HERE)
        if gone and line.text.lstrip().startswith("echo"):
            return None
        if gone:
            self._note(line, f"uses ${gone[0]}, which is not set any more", "write it without")
        if not _HARMLESS.match(line.text):
            self._once.append(line.number)
        return line.text

    def tell(self) -> None:
        """What is to be said of the script as a whole."""
        if self._dropped_line:
            self.findings.note(
                self.plan.key,
                self._line(self._dropped_line),
                "the lines that find the first node's address are left out",
                "MASTER_ADDR and MASTER_PORT are set for every rank",
            )
        ranks = self.plan.nodes * self.ranks_per_node
        if self.launched and ranks > 1 and self._once:
            shown = ", ".join(str(self._line(each)) for each in self._once[:_ONCE_SHOWN_MAX])
            more = len(self._once) - _ONCE_SHOWN_MAX
            self.findings.note(
                self.plan.key,
                self._line(self._once[0]),
                f"ran once and runs on each of {ranks} ranks now: line {shown}"
                + (f" and {more} more" if more > 0 else ""),
                'where that is wrong, write: if [ "$RANK" = 0 ]; then …; fi',
            )

    def _launches(self, line: Line) -> tuple[str, bool]:
        """The line with its launches replaced, from the last to the first so that places stay true."""
        text = line.text
        found: list[Launch] = []
        for words, after in commands_of(line.text):
            other = other_launcher(words)
            if other:
                advice = "start plain `python` instead: ranks get torchrun's variables"
                self._note(line, f"{other} is not read and stays as it is", advice)
            launch = launch_of(words) if words else None
            if (
                launch
                and (self.dialect.srun or not launch.by_srun)
                and self._sound(launch, after, line)
            ):
                found.append(launch)
        if not found:
            return line.text, False
        for launch in reversed(found):
            command = f"{launch.python} " if launch.python else ""
            text = text[: launch.before] + command + text[launch.start :]
        return text, True

    def _sound(self, launch: Launch, after: str, line: Line) -> bool:
        fault = launch.fault or self._fault(launch, after)
        per_node = self._per_node(launch)
        if not fault and launch.by_torchrun and per_node == 0:
            fault = f"how many processes {launch.per_node!r} is, is not known here"
        if not fault and self.launched and per_node != self.ranks_per_node:
            fault = "it starts other ranks than the one before it"
        if fault:
            what = "srun" if launch.by_srun else "torchrun"
            advice = f"write the gang's nodes and ranks_per_node, and the program without {what}"
            self._note(line, f"{what} stays as it is: {fault}", advice)
            return False
        if self.launched:
            detail = "a second launch: no rank waits for the others before it"
            self._note(line, detail, "make it a job of its own, with `after`")
        self.launched = True
        self.by_srun |= launch.by_srun
        self.by_torchrun |= launch.by_torchrun
        self.ranks_per_node = per_node or self.ranks_per_node
        if launch.max_restarts.isdecimal():
            self.retries = max(self.retries, int(launch.max_restarts))
        for option in launch.told:
            self._note(line, f"srun's {option} is left out", "`gw logs` has each rank's output")
        return True

    def _fault(self, launch: Launch, after: str) -> str:
        """Why the shape that a launch names is not the gang's; empty where it is."""
        if after == "&":
            return "it runs in the background, beside others"
        ranks = self.plan.nodes * self.plan.ranks_per_node
        for option, value, own, counts in (
            ("nodes", launch.nodes, self.plan.nodes, self.dialect.node_counts),
            ("ranks", launch.ranks, ranks, self.dialect.rank_counts),
        ):
            named = references(value)
            if value.isdecimal() and int(value) != own:
                return f"it is for {value} {option}, and the job has {own}"
            if value and not value.isdecimal() and not named & (counts | self._dropped):
                return f"how many {option} {value!r} is, is not known here"
        return ""

    def _per_node(self, launch: Launch) -> int:
        """Ranks on each node after a launch; 0 where that cannot be known."""
        if not launch.by_torchrun:
            return self.plan.ranks_per_node
        value = launch.per_node
        if value.isdecimal():
            return int(value)
        if value == "gpu" or references(value) & self.dialect.gpu_counts or value == "auto":
            return self.plan.gpus
        return 0

    def _is_lookup(self, line: Line) -> bool:
        name = assigned(line.text)
        if not name:
            return False
        derived = references(line.text.partition("=")[2]) & self._dropped
        return bool(name in _SET_HERE or derived or self.dialect.lookup.search(line.text))

    def _line(self, number: int) -> int:
        return self.plan.first_line + number - 1

    def _note(self, line: Line, detail: str, advice: str) -> None:
        self.findings.note(self.plan.key, self._line(line.number), detail, advice)


def _with_exports(body: str, reading: _Reading) -> str:
    """The script under what sets the other system's variables that it mentions."""
    dialect, plan = reading.dialect, reading.plan
    known = {**dialect.exports, **(dialect.by_node if reading.by_torchrun else {}), **plan.literals}
    mentioned = sorted(set(re.findall(rf"\b{dialect.prefix}\w+", body)))
    unset = [name for name in mentioned if name not in known and f"{name}=" not in body]
    for name in unset:
        detail = f"the script uses {name}, which nothing sets here"
        reading.findings.note(plan.key, plan.first_line, detail, f"set it: `--env {name}=…`")
    lines = [f'export {name}="{known[name]}"' for name in mentioned if name in known]
    if not lines:
        return body
    return "\n".join(
        [f"# {dialect.name}'s variables, from this system's", *lines, body.lstrip("\n")]
    )
