"""The supervisors of every attempt: submitted to Slurm, waited for, spoken to, and found again after a restart.

Towards attempts it is as if each node had one supervisor; which of them is asked depends on the attempt.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from gigawatt.clock import monotonic_s, now_ms
from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.local.link import Link, LinkLostError, Message, RefusedError
from gigawatt.engine.local.machine import NodeSpec
from gigawatt.engine.local.nodes import Told, told
from gigawatt.engine.slurm.client import SlurmRefusedError, SlurmUnavailableError
from gigawatt.engine.slurm.files import Files
from gigawatt.engine.slurm.fleet import Plan
from gigawatt.engine.slurm.post import Crew, Post
from gigawatt.engine.supervisor.job import JobSpec

log = logging.getLogger(__name__)

HELLO_S = 5.0
HUNG_AFTER_S = 10.0
RETRY_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # between tries to reach a supervisor; the last repeats
RETRY_SUBMIT_S = 2.0  # while the controller does not answer
REACH_MAX = 64  # supervisors reached at once

ABSENT: dict[str, dict[str, Any]] = {  # what a node says of an attempt that it does not have
    "stop": {"known": False},
    "abort": {},
    "release": {},
    "notify": {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What is told, by node: an event, what it has of an attempt, that it has nothing and never will."""

    event: Callable[[str, Message], None]
    view: Callable[[str, dict[str, Any]], None]
    nothing: Callable[[str, str], None]
    back: Callable[[str], None]  # a supervisor on this node answers again


class Submit(Protocol):
    async def __call__(self, crew: Crew, *, again: bool) -> int:
        """Have Slurm start the supervisors of an attempt; its number. `again` when it is not known whether it has.

        Raises SlurmUnavailableError, SlurmRefusedError.
        """
        ...


class Crews:
    """Implements `Supervisors` for attempts. `specs` are the nodes as far as Slurm has told of them."""

    def __init__(self, files: Files, hooks: Hooks, submit: Submit) -> None:
        self.specs: dict[str, NodeSpec] = {}
        self.all: dict[str, Crew] = {}
        self.plans: dict[str, Plan] = {}
        self._files = files
        self._hooks = hooks
        self._submit = submit
        self._epoch = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reaching = asyncio.Semaphore(REACH_MAX)

    def lead(self, epoch: int) -> None:
        self._epoch = epoch

    async def close(self) -> None:
        """Let go of every supervisor; they stay."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        links = [post.link for _, post in self._posts() if post.link]
        await asyncio.gather(*(link.close() for link in links))

    def muster(self, spec: JobSpec, plan: Plan, number: int = 0) -> Crew:
        """Know of an attempt's supervisors; one that is known stays as it is."""
        crew = self.all.get(spec.key)
        if crew is None:
            loop = asyncio.get_running_loop()
            posts = {node: Post(node=node, arrived=loop.create_future()) for node in spec.addresses}
            crew = Crew(spec=spec, posts=posts, number=number, waiting_since_s=monotonic_s())
            self.all[spec.key] = crew
            self.plans[spec.key] = plan
        return crew

    async def find(self, crew: Crew) -> None:
        """After a restart: reach its supervisors, or read what they left. Raises StaleEpochError."""
        results = await asyncio.gather(
            *(self._find(crew, post) for post in crew.posts.values()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def view(self, crew: Crew, node: str) -> dict[str, Any] | None:
        """What a node has of an attempt, from its supervisor if it answers; None for nothing."""
        post = crew.posts[node]
        if post.up:
            try:
                inventory = await self.ask(node, "inventory", key=crew.key)
            except (LinkLostError, RefusedError):
                pass
            else:
                return next((each for each in inventory["attempts"]), None)
        return await asyncio.to_thread(self._files.view, crew.key, node)

    def known(self, key: str) -> bool:
        """Whether it was submitted, or is about to be."""
        return key in self.all

    async def ask(self, node: str, verb: str, **fields: Any) -> Message:
        """Raises LinkLostError, RefusedError or StaleEpochError."""
        key = str(fields.get("key") or fields["spec"]["key"])
        crew = self.all.get(key)
        post = crew.posts.get(node) if crew else None
        if crew is None or post is None:
            return _absent(verb, key)
        if verb == "stage":
            return await self._stage(crew, post, fields)
        if verb == "release":
            return await self._release(crew, post, fields)
        crew.stopped = crew.stopped or verb in {"abort", "stop"}
        if crew.stopped and crew.submitting is not None and not crew.arrived:
            crew.cancelled = True
            crew.fail("it was stopped before Slurm had started it")
        if post.gone or (crew.over and not post.up):
            return await self._of_record(crew, post, verb)
        if verb == "inventory":
            fields.pop("key")
        if post.up and post.link is not None:
            return await post.link.ask(verb, **fields)
        if not post.staged and verb in ABSENT:
            return ABSENT[verb]
        raise LinkLostError(f"the supervisor on {node} does not answer")

    async def tell(self, nodes: Iterable[str], verb: str, **fields: Any) -> Told:
        """As `Keepers.tell`; nodes that the attempt is not on have nothing of it."""
        names = [node for node in nodes if node in self.specs]
        return await told({node: self.ask(node, verb, **fields) for node in names})

    def arrive(self, crew: Crew, node: str) -> None:
        """A supervisor has called: reach it."""
        post = crew.posts.get(node)
        if post is None or post.up or post.gone:
            return
        if post.calling is not None:
            post.calling.cancel()
        self._call(crew, post)

    async def ping(self, crew: Crew, post: Post) -> None:
        """One that does not answer is let go of, and looked for again."""
        post.pinged_s = monotonic_s()
        link = post.link
        if link is None:
            return
        try:
            await link.ask("ping", now_ms=now_ms(), timeout_s=HUNG_AFTER_S)
        except LinkLostError as error:
            link.lose(str(error))
        except RefusedError as error:
            log.warning("%s on %s refuses a ping: %s", crew.key, post.node, error)

    async def write_off(self, crew: Crew, post: Post) -> None:
        """Slurm has nothing of the job any more, so nothing of it runs: put that on record."""
        view = await asyncio.to_thread(self._files.close, crew.key, post.node)
        post.gone = True
        if view is None:
            self._hooks.nothing(post.node, crew.key)
        else:
            self._hooks.view(post.node, view)

    async def lose(self, crew: Crew, post: Post) -> None:
        """Its ranks are lost, as far as anyone can tell; what can still be reached is killed."""
        for entry in await asyncio.to_thread(self._files.losses, crew.key, post.node):
            self._hooks.event(post.node, {"key": crew.key, **entry})
        if post.up and post.link is not None:
            try:
                await post.link.ask("stop", key=crew.key, grace_s=0, epoch=self._epoch)
            except (LinkLostError, RefusedError) as error:
                log.warning("%s on %s was not told to stop: %s", crew.key, post.node, error)

    async def forget(self, crew: Crew) -> None:
        """Nothing of it is left, and all of it is on record."""
        self.all.pop(crew.key, None)
        self.plans.pop(crew.key, None)
        await asyncio.to_thread(self._files.forget, crew.key)

    def spawn(self, call: Any) -> "asyncio.Task[Any]":
        """Follow something up without waiting for it."""
        task: asyncio.Task[Any] = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def _stage(self, crew: Crew, post: Post, fields: dict[str, Any]) -> Message:
        if post.gone or crew.over:
            known = await self._of_record(crew, post, "stage")
            if known:
                return {**known, "reference": crew.reference}
            raise RefusedError("machine", "Slurm has already ended its job")
        if crew.submitting is None and not crew.number:
            crew.submitting = self.spawn(self._submitted(crew))
        await asyncio.shield(post.arrived)
        if not post.up or post.link is None:
            raise LinkLostError(f"the supervisor on {post.node} came and went")
        post.staged = True
        return {**await post.link.ask("stage", **fields), "reference": crew.reference}

    async def _release(self, crew: Crew, post: Post, fields: dict[str, Any]) -> Message:
        """By its supervisor if it has one, else by ourselves."""
        if post.up and not post.gone and post.link is not None:
            await post.link.ask("release", **fields)
        elif not (post.gone or crew.over) and post.staged:
            raise LinkLostError(f"the supervisor on {post.node} does not answer")
        await asyncio.to_thread(self._files.release, crew.key, post.node)
        crew.released = True
        return {}

    async def _of_record(self, crew: Crew, post: Post, verb: str) -> Message:
        """What a supervisor that has ended would say."""
        view = await asyncio.to_thread(self._files.view, crew.key, post.node)
        if verb == "stop":
            return {"known": view is not None}
        if verb == "stage":
            if view is not None:
                return {"state": "ended", "view": view}
            released = await asyncio.to_thread(self._files.was_released, crew.key, post.node)
            return {"state": "released"} if released else {}
        return _absent(verb, crew.key)

    async def _submitted(self, crew: Crew) -> None:
        """Until Slurm has taken or refused it; while its controller does not answer, we ask again."""
        crew.waiting_since_s = monotonic_s()
        again = False
        while True:
            try:
                crew.number = await self._submit(crew, again=again)
            except SlurmUnavailableError as error:
                log.warning("%s is not submitted yet: %s", crew.key, error)
                again = True
                await asyncio.sleep(RETRY_SUBMIT_S)
            except (SlurmRefusedError, OSError) as error:
                crew.over = True
                crew.fail(f"Slurm refuses it: {error}")
                return
            else:
                crew.submitted_s = monotonic_s()
                return

    async def _find(self, crew: Crew, post: Post) -> None:
        view = await asyncio.to_thread(self._files.view, crew.key, post.node)
        post.staged = view is not None
        post.gone = view is not None and any(each["kind"] == "gone" for each in view["entries"])
        if post.gone or crew.over:
            return
        async with self._reaching:
            try:
                await self._reach(crew, post)
            except (OSError, LinkLostError, RefusedError):
                post.staged = True  # as far as anyone can tell
                self._call(crew, post)

    def _call(self, crew: Crew, post: Post) -> None:
        post.calling = self.spawn(self._reach_again(crew, post))
        post.calling.add_done_callback(partial(_called, post))

    async def _reach_again(self, crew: Crew, post: Post) -> None:
        tries = 0
        while not (post.gone or crew.over):
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1
            try:
                inventory = await self._reach(crew, post)
            except (OSError, LinkLostError, RefusedError) as error:
                await self._look_at_record(crew, post, refused=_is_refused(error))
                continue
            except StaleEpochError:
                log.warning("%s on %s follows a later leader", crew.key, post.node)
                return
            for view in inventory["attempts"]:
                self._hooks.view(post.node, {**view, "reference": crew.reference})
            self._hooks.back(post.node)
            return

    async def _look_at_record(self, crew: Crew, post: Post, *, refused: bool) -> None:
        """It cannot be reached: perhaps it has ended, and says so on record. Else its ranks died with it."""
        view = await asyncio.to_thread(self._files.view, crew.key, post.node)
        if view is not None and any(each["kind"] == "gone" for each in view["entries"]):
            post.gone = True
            self._hooks.view(post.node, view)
        elif view is not None and refused and not post.refused:
            post.refused = True
            for entry in await asyncio.to_thread(self._files.losses, crew.key, post.node):
                self._hooks.event(post.node, {"key": crew.key, **entry})

    async def _reach(self, crew: Crew, post: Post) -> Message:
        """Connect; its inventory. Raises OSError, LinkLostError, RefusedError, StaleEpochError."""
        address = await asyncio.to_thread(self._files.address, crew.spec, post.node)
        if address is None:
            raise LinkLostError(f"the supervisor on {post.node} has not come yet")
        link = Link(
            lambda event: self._event(post, event), lambda why: self._lost(crew, post, link, why)
        )
        try:
            mac = await link.dial(address.host, address.port, token=crew.spec.token)
            _, _, inventory = await asyncio.gather(  # sent at once, answered in order
                link.ask("prove", mac=mac),
                link.ask("hello", epoch=self._epoch, now_ms=now_ms(), timeout_s=HELLO_S),
                link.ask("inventory"),
            )
        except BaseException:
            await link.close()
            raise
        post.link, post.refused, post.pinged_s = link, False, monotonic_s()
        if not post.arrived.done():
            post.arrived.set_result(None)
        return inventory

    def _event(self, post: Post, event: Message) -> None:
        if event["kind"] == "gone":
            post.gone = True
        self._hooks.event(post.node, event)

    def _lost(self, crew: Crew, post: Post, link: Link, why: str) -> None:
        if link is not post.link or post.gone:
            return
        log.info("%s on %s: %s", crew.key, post.node, why)
        if post.calling is None:
            self._call(crew, post)

    def _posts(self) -> list[tuple[Crew, Post]]:
        return [(crew, post) for crew in self.all.values() for post in crew.posts.values()]

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StaleEpochError):
            log.warning("not followed up, there is a later leader: %s", error)
        elif error is not None:
            log.error("an attempt was not followed to its end", exc_info=error)


def _absent(verb: str, key: str) -> Message:
    if verb in ABSENT:
        return ABSENT[verb]
    raise RefusedError("unknown", f"{key} does not run here")


def _called(post: Post, task: "asyncio.Task[Any]") -> None:
    if post.calling is task:
        post.calling = None


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, ConnectionRefusedError)
