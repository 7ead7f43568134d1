"""Xid errors of NVIDIA's driver in the kernel log, and what is to be done about each.

Actions follow NVIDIA's Xid catalogue (docs.nvidia.com/deploy/xid-errors, as of 2026). Not run on real GPUs here: tried on
recorded lines.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gigawatt.engine.checks.said import FAIL, OK, WARN, Said

_LINE = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<device>[0-9a-fA-F:.]+)\): (?P<number>\d+)(?P<rest>.*)"
)

# None of these is the machine's fault: the program's, or what follows from another error.
APPLICATION = frozenset({11, 13, 25, 31, 32, 43, 45, 69, 137})
WATCHED = frozenset({63, 92, 94, 157})  # handled by the driver; they add up
RESET = frozenset({46, 48, 62, 64, 95, 109, 119, 120, 136, 140, 143, 158})
REBOOT = frozenset({74, 79, *range(144, 151)})  # power-cycle; replace where it comes back


class Xid(NamedTuple):
    device: str
    number: int
    text: str

    @property
    def action(self) -> str:
        """none, watch, reset, reboot: what is to be done with the machine."""
        if self.number == 154:
            return _recovery(self.text)
        for action, numbers in (("none", APPLICATION), ("watch", WATCHED), ("reset", RESET)):
            if self.number in numbers:
                return action
        return "reboot" if self.number in REBOOT else "watch"


def parse(line: str) -> Xid | None:
    """What a line of the kernel log says of a GPU."""
    found = _LINE.search(line)
    if found is None:
        return None
    return Xid(found["device"], int(found["number"]), found["rest"].strip(" ,"))


def judge(lines: list[str]) -> Said:
    """The worst that new lines of the kernel log ask for."""
    seen = [xid for line in lines if (xid := parse(line))]
    for action, outcome in (("reboot", FAIL), ("reset", FAIL), ("watch", WARN)):
        wanted = [xid for xid in seen if xid.action == action]
        if wanted:
            first = wanted[0]
            todo = {"reset": "reset the GPU", "reboot": "reboot; replace it if this comes back"}
            advice = todo.get(action, "watch it")
            return Said(outcome, f"Xid {first.number} on {first.device}: {advice} ({first.text})")
    return Said(OK, f"{len(seen)} Xid of programs" if seen else "no Xid")


def _recovery(text: str) -> str:
    """Xid 154 names the recovery that is needed."""
    words = text.lower()
    if "reboot" in words:
        return "reboot"
    return "reset" if "reset" in words or "drain" in words else "none"
