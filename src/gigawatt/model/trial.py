"""Runs of one program, by where they ran: what tells a bad node from a bad program.

A program that fails on one node while its other runs live on elsewhere was failed by the node. One that fails wherever
it runs is at fault itself. Kept in memory alone: after a restart of the control plane it is learnt again.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

LIVE_SEEN_MAX = 256  # of one program; so many say enough
ENDED_MAX = 64  # ended runs of one program that are remembered
PLACES_MIN = 3  # other nodes on which the program must live, for its failure here to be the node's
ALIKE = 3  # rates of failure that differ by less than so many times are alike
RARE_OF = 10  # where it failed elsewhere too, at most one of so many runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `failed_on` is the node that failed it, "" where none did."""

    gang: str
    attempt: int
    nodes: tuple[str, ...]
    failed_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """How a program did on other nodes than one."""

    lived: int  # runs that go on, or ended well
    places: int  # nodes that those were on
    failed: int
    here_failed: int
    here_lived: int

    @property
    def blames_node(self) -> bool:
        """Whether the program does well elsewhere, so that a failure here is the node's."""
        if self.places < PLACES_MIN:
            return False
        return self.failed == 0 or (self.rare and self.here_failed >= self.here_lived)

    @property
    def clears_node(self) -> bool:
        """Whether the program fails elsewhere about as often, so that a failure here says nothing of the node."""
        elsewhere, here = self.lived + self.failed, self.here_lived + self.here_failed
        return self.failed * here * ALIKE >= self.here_failed * elsewhere and self.failed > 0

    @property
    def rare(self) -> bool:
        return self.failed * RARE_OF <= self.lived + self.failed


@dataclass(slots=True, kw_only=True)
class Trials:
    """All that is known of one program's runs. Those that live are by gang: a gang has one attempt at a time."""

    live: dict[str, Run] = field(default_factory=dict[str, Run])
    ended: deque[Run] = field(default_factory=lambda: deque[Run](maxlen=ENDED_MAX))

    def began(self, run: Run) -> None:
        self.live[run.gang] = run

    def finished(self, run: Run, *, counts: bool) -> None:
        """A run is over. `counts` unless it was stopped from outside, which says nothing of it."""
        self.live.pop(run.gang, None)
        if counts:
            self.ended.append(run)

    def contrast(self, node: str) -> Contrast:
        """How it does elsewhere than on `node`."""
        well = [run for run in self.ended if not run.failed_on]
        runs = (*islice(self.live.values(), LIVE_SEEN_MAX), *well)
        lived = [run for run in runs if node not in run.nodes]
        failed_on = [run.failed_on for run in self.ended if run.failed_on]
        return Contrast(
            lived=len(lived),
            places=len({each for run in lived for each in run.nodes}),
            failed=sum(each != node for each in failed_on),
            here_failed=sum(each == node for each in failed_on),
            here_lived=sum(node in run.nodes for run in well),
        )
