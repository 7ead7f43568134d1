import asyncio

from gigawatt.engine.local.outbox import Outbox
from gigawatt.model.attempt import Progress
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, Observation, RankProgress

KEY = AttemptKey(gang="job-1", attempt=1)


def _progress(step: int, rank: int = 0) -> RankProgress:
    return RankProgress(key=KEY, rank=rank, progress=Progress(at_ms=step, step=step))


def test_of_a_ranks_progress_only_the_newest_waits() -> None:
    outbox = Outbox()
    gone = AttemptGone(at_ms=1, key=KEY)
    outbox.put(_progress(1), _progress(1, rank=1), gone, _progress(2))
    assert outbox.take_all() == [_progress(1, rank=1), gone, _progress(2)]


def test_a_reader_gets_what_waits_and_what_comes_until_it_is_closed() -> None:
    async def story() -> list[Observation]:
        outbox = Outbox()
        outbox.put(AttemptGone(at_ms=1, key=KEY))
        read: list[Observation] = []
        async for seen in outbox.drain():
            read.append(seen)
            if len(read) == 1:
                outbox.put(AttemptGone(at_ms=2, key=KEY))
                outbox.close()
        return read

    assert [getattr(seen, "at_ms", 0) for seen in asyncio.run(story())] == [1, 2]
