"""What attempts on the twin's machines save, when, and for how long they stand still for it."""

from collections.abc import Callable

from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import CheckpointSaved, Observation
from gigawatt.scheduler.running import Pace
from gigawatt.twin.attempts import Running
from gigawatt.twin.events import Events
from gigawatt.twin.happenings import Event, Saved, Timing

Tempo = Callable[[str, Pace | None], None]  # of a gang: when its attempt saves, until it is None


class Saves:
    """`saving_ms` is the device time that stood still for checkpoints, by unit.

    Where there is a `tempo`, attempts that nothing disturbs tell of none but their first: it is told when they save, and the
    newest checkpoint is told of when they are disturbed.
    """

    def __init__(self, timing: Timing, events: Events[Event]) -> None:
        self._timing = timing
        self._events = events
        self._steps: dict[str, int] = {}  # of each gang that has saved
        self.saving_ms: dict[str, int] = {}
        self.tempo: Tempo | None = None

    def go_on(self, key: AttemptKey, running: Running, now_ms: int) -> None:
        """It works on from here, until it saves the next time."""
        if running.saves == self.count(running):
            return
        if not self._in_tempo(key, running):
            self._events.add(now_ms + self._whole_ms, Saved(key=key))

    def off_tempo(self, key: AttemptKey, running: Running | None, now_ms: int) -> list[Observation]:
        """It is disturbed: each save is told from now on, and here the last that it has made."""
        if running is None or running.since_ms is None:
            return []
        running.disturbed = True
        if not running.in_tempo or self.tempo is None:
            return []
        running.in_tempo = False
        self.tempo(key.gang, None)
        saves = min((now_ms - running.since_ms) // self._whole_ms, self.count(running))
        if saves < self.count(running):
            self._events.add(running.since_ms + (saves + 1) * self._whole_ms, Saved(key=key))
        more = saves - running.saves
        if not more:
            return []
        self.save(running, saves)
        return [self.told(key, running.since_ms + saves * self._whole_ms, times=more)]

    def done(self, key: AttemptKey, running: Running) -> None:
        """It has come to its end, and made all of its saves."""
        if running.in_tempo and self.tempo is not None:
            self.tempo(key.gang, None)
            self.save(running, self.count(running))
        self._steps.pop(key.gang, None)

    def count(self, running: Running) -> int:
        """How often it saves, from its start to its end."""
        each_ms = self._timing.checkpoint_ms
        return max(-(-running.left_ms // each_ms) - 1, 0) if each_ms else 0

    def save(self, running: Running, saves: int) -> None:
        """It has saved so often by now."""
        more, running.saves = saves - running.saves, saves
        running.saved_ms = max(saves * self._timing.checkpoint_ms, running.saved_ms)
        self.stood_still(running, more)

    def stood_still(self, running: Running, saves: int = 1) -> None:
        """The time of all of its devices that so many saves take."""
        if not self._timing.save_ms:
            return
        each, ranks = running.launch.per_rank, len(running.launch.placements)
        unit = "milli_gpu_ms" if each.milli_gpu else "milli_core_ms"
        amount = (each.milli_gpu or each.milli_cpu) * ranks * self._timing.save_ms * saves
        self.saving_ms[unit] = self.saving_ms.get(unit, 0) + amount

    def told(self, key: AttemptKey, at_ms: int, *, times: int = 1) -> CheckpointSaved:
        """What is told of its newest checkpoint, and of no other since the last of which it was, so many before."""
        step = self._steps[key.gang] = self._steps.get(key.gang, 0) + times
        saved = Checkpoint(step=step, path=f"step-{step}", at_ms=at_ms)
        return CheckpointSaved(key=key, rank=0, checkpoint=saved)

    def work_ms(self, running: Running, now_ms: int) -> int:
        """What it has done since it began, without the saves."""
        assert running.since_ms is not None
        timing = self._timing
        whole = timing.checkpoint_ms + timing.save_ms
        passed_ms = now_ms - running.since_ms
        if not whole or not timing.save_ms:
            return passed_ms
        saves, rest_ms = divmod(passed_ms, whole)
        return saves * timing.checkpoint_ms + min(rest_ms, timing.checkpoint_ms)

    @property
    def _whole_ms(self) -> int:
        return self._timing.checkpoint_ms + self._timing.save_ms

    def _in_tempo(self, key: AttemptKey, running: Running) -> bool:
        """Who has told of none may get no notice, and who may grow is asked to by its saves: these tell of each."""
        if self.tempo is None or key.gang not in self._steps:
            return False
        if running.disturbed or running.nodes != running.most:
            return False
        assert running.since_ms is not None
        running.in_tempo = True
        most = self.count(running)
        self.tempo(key.gang, Pace(since_ms=running.since_ms, every_ms=self._whole_ms, most=most))
        return True
