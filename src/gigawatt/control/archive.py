"""What has ended, read from the store on behalf of actions."""

import asyncio

from gigawatt.clock import now_ms
from gigawatt.model.action import RecallTask
from gigawatt.model.array import task_id
from gigawatt.model.job import Job
from gigawatt.model.observation import TaskRecalled
from gigawatt.store.base import Store


class StoreArchive:
    """Ended jobs of arrays' tasks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def task(self, action: RecallTask) -> TaskRecalled:
        key = task_id(action.array, action.index)
        job = await asyncio.to_thread(self._store.read, Job, key)
        return TaskRecalled(at_ms=now_ms(), array=action.array, index=action.index, job=job)
