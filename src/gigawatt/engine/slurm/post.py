"""One supervisor of one attempt: where a Slurm job put it, whether it can be asked, and what it left on record."""

import asyncio
from dataclasses import dataclass

from gigawatt.engine.local.link import Link, RefusedError
from gigawatt.engine.supervisor.job import JobSpec


@dataclass(slots=True, kw_only=True)
class Post:
    """`arrived` has its result once the supervisor has been reached for the first time, or why it never will be."""

    node: str
    arrived: "asyncio.Future[None]"
    link: Link | None = None
    gone: bool = False  # its part of the attempt is over, and on record
    staged: bool = False  # it was asked to get ready: from now on it may have started
    refused: bool = False  # nobody listens there any more, and no end is on record
    pinged_s: float = 0.0
    calling: "asyncio.Task[None] | None" = None

    @property
    def up(self) -> bool:
        return self.link is not None and not self.link.over


@dataclass(slots=True, kw_only=True)
class Crew:
    """The supervisors of one attempt, and the Slurm job that they are in."""

    spec: JobSpec
    posts: dict[str, Post]
    number: int = 0  # Slurm's; 0 as long as it is not known
    submitting: "asyncio.Task[None] | None" = None
    submitted_s: float = 0.0  # by the monotonic clock
    waiting_since_s: float = 0.0
    over: bool = False  # Slurm has nothing of it any more
    released: bool = False
    cancelled: bool = False  # it is to be taken back
    stopped: bool = False  # it was asked to end
    told_s: float = 0.0

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def reference(self) -> str:
        """What people and accounting call its job."""
        return f"Slurm job {self.number}" if self.number else ""

    def fail(self, reason: str) -> None:
        """Whoever waits for its supervisors is told that they will not come."""
        for post in self.posts.values():
            if not post.arrived.done():
                post.arrived.set_exception(RefusedError("machine", reason))
                post.arrived.exception()  # nobody may be waiting

    @property
    def arrived(self) -> bool:
        return all(post.arrived.done() for post in self.posts.values())

    @property
    def there(self) -> list[str]:
        """Nodes on which its supervisors still are, as far as is known."""
        return [] if self.over else [node for node, post in self.posts.items() if not post.gone]

    @property
    def ended(self) -> bool:
        return all(post.gone for post in self.posts.values())
