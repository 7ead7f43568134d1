"""The same policies once more, in plain Python over lists, sharing no code with the scheduler or the twin.

Jobs are places of one core with some memory on equal nodes, first fit. What is due at one time is taken in together:
ends, then arrivals, then one pass through the line.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class PlainJob:
    at: int
    run: int
    places: int
    limit: int
    memory: int


Taken = list[tuple[int, int]]  # node and places


@dataclass(kw_only=True)
class Site:
    cores: list[int]
    memory: list[int]

    def copy(self) -> "Site":
        return Site(cores=[*self.cores], memory=[*self.memory])

    def give(self, job: PlainJob, beside: "Site | None" = None) -> Taken | None:
        """Places on one node after another; None, and nothing given, where there are too few."""
        taken: Taken = []
        left = job.places
        for node in range(len(self.cores)):
            fits = min(site.fits(node, job) for site in (self, beside or self))
            if fits and left:
                taken.append((node, min(fits, left)))
                left -= min(fits, left)
        if left:
            return None
        for site in (self, beside):
            if site is not None:
                site.move(job, taken, -1)
        return taken

    def fits(self, node: int, job: PlainJob) -> int:
        by_memory = self.memory[node] // job.memory if job.memory else job.places
        return min(self.cores[node], by_memory)

    def move(self, job: PlainJob, taken: Taken, sign: int) -> None:
        for node, places in taken:
            self.cores[node] += sign * places
            self.memory[node] += sign * places * job.memory


@dataclass(kw_only=True)
class Line:
    """The waiting and the running, and what the policy keeps from time to time."""

    jobs: list[PlainJob]
    site: Site
    waiting: list[int] = field(default_factory=list[int])
    running: dict[int, tuple[int, int, Taken]] = field(
        default_factory=dict[int, tuple[int, int, Taken]]
    )
    started: dict[int, int] = field(default_factory=dict[int, int])
    dated: tuple[int, int] | None = None  # of the policy `easy`: the job and its time

    def start(self, job: int, now: int, beside: Site | None = None) -> bool:
        taken = self.site.give(self.jobs[job], beside)
        if taken is None:
            return False
        it = self.jobs[job]
        self.running[job] = now + it.run, now + it.limit, taken
        self.started[job] = now
        return True

    def hold(self, job: int) -> tuple[int, Site]:
        """When it fits if what runs ends at its limit, and what is left then beside it."""
        later = self.site.copy()
        for end in sorted({end for _, end, _ in self.running.values()}):
            for other, (_, its_end, taken) in self.running.items():
                if its_end == end:
                    later.move(self.jobs[other], taken, 1)
            beside = later.copy()
            if beside.give(self.jobs[job]) is not None:
                return end, beside
        raise AssertionError("what fits an empty site fits when all has ended")


def fifo(line: Line, now: int) -> None:
    while line.waiting and line.start(line.waiting[0], now):
        line.waiting.pop(0)


def easy_hold(line: Line, now: int) -> None:
    fifo(line, now)
    if not line.waiting:
        return
    end, beside = line.hold(line.waiting[0])
    rest = [line.waiting[0]]
    for job in line.waiting[1:]:
        long = now + line.jobs[job].limit > end
        if not line.start(job, now, beside if long else None):
            rest.append(job)
    line.waiting = rest


def easy(line: Line, now: int) -> None:
    rest: list[int] = []
    for job in line.waiting:
        dated = line.dated
        if dated is not None and dated[0] == job and now < dated[1]:
            rest.append(job)
        elif line.start(job, now):
            line.dated = None if dated is not None and dated[0] == job else dated
        else:
            rest.append(job)
            if dated is None:
                line.dated = job, line.hold(job)[0]
    line.waiting = rest


Rule = Callable[[Line, int], None]
RULES: dict[str, Rule] = {"fifo": fifo, "easy-hold": easy_hold, "easy": easy}


def plain_starts(jobs: list[PlainJob], nodes: int, cores: int, memory: int, rule: str) -> list[int]:
    """When each job starts. A job that runs past its limit is given what it took."""
    jobs = [replace(job, limit=max(job.limit, job.run)) for job in jobs]
    line = Line(jobs=jobs, site=Site(cores=[cores] * nodes, memory=[memory] * nodes))
    now = -1
    coming = sorted(range(len(jobs)), key=lambda job: jobs[job].at)
    while coming or line.waiting or line.running:
        times = [end for end, _, _ in line.running.values()]
        times += [jobs[coming[0]].at] if coming else []
        if line.dated is not None and line.dated[1] > now:
            times.append(line.dated[1])
        now = min(times)
        for job in [job for job, (end, _, _) in line.running.items() if end <= now]:
            line.site.move(jobs[job], line.running.pop(job)[2], 1)
        while coming and jobs[coming[0]].at <= now:
            line.waiting.append(coming.pop(0))
        RULES[rule](line, now)
    return [line.started[job] for job in range(len(jobs))]
