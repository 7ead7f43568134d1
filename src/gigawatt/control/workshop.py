"""Builds and stores on behalf of actions; a failure is an observation."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.environments import BuildFailedError, EnvironmentBuilder
from gigawatt.build.homes import Homes
from gigawatt.build.stored_weights import stored_weights
from gigawatt.clock import now_ms
from gigawatt.model.action import BuildEnvironment, DeleteEnvironment, RemoveHome, StoreModel
from gigawatt.model.observation import (
    EnvironmentBuilt,
    EnvironmentDeleted,
    EnvironmentFailed,
    HomeRemoved,
    ModelStored,
)
from gigawatt.model.refusal import RefusalError

log = logging.getLogger(__name__)


class LocalWorkshop:
    """Environments and artifacts below the data directory of this instance."""

    def __init__(
        self, *, builder: EnvironmentBuilder, artifacts: ArtifactStore, homes: Homes
    ) -> None:
        self._builder = builder
        self._artifacts = artifacts
        self._homes = homes

    def sweep(self) -> None:
        """Clear what killed builds and uploads left half made, and have artifacts where they are kept.

        Raises RefusalError where they cannot be kept there. Blocks.
        """
        self._builder.sweep()
        self._artifacts.sweep()
        self._artifacts.settle()

    async def build(
        self, action: BuildEnvironment, on_stage: Callable[[str], None]
    ) -> EnvironmentBuilt | EnvironmentFailed:
        def told(stage: str, said: str) -> None:
            on_stage(f"{stage}: {said}" if said else stage)

        try:
            built = await self._builder.build(action.environment, action.spec, told)
        except BuildFailedError as error:
            message = error.message
        except RefusalError as refusal:
            message = refusal.detail
        except OSError as error:
            message = str(error)
        else:
            return EnvironmentBuilt(
                at_ms=now_ms(),
                environment=action.environment,
                path=str(built.path),
                lock=built.lock,
                size_bytes=built.size_bytes,
                build_ms=built.build_ms,
                digest=built.digest,
            )
        return EnvironmentFailed(at_ms=now_ms(), environment=action.environment, message=message)

    async def delete(self, action: DeleteEnvironment) -> EnvironmentDeleted | None:
        """None where it could not be: it is asked for again when a leader starts."""
        try:
            await asyncio.to_thread(self._builder.remove, action.environment)
        except (RefusalError, OSError) as error:
            log.warning("%s was not deleted: %s", action.environment, error)
            return None
        return EnvironmentDeleted(at_ms=now_ms(), environment=action.environment)

    async def store_model(self, action: StoreModel) -> ModelStored:
        try:
            tree = await asyncio.to_thread(
                self._artifacts.put_tree, Path(action.path), within=Path(action.within)
            )
            weights = await asyncio.to_thread(
                stored_weights, self._artifacts, tree.digest, is_tree=True
            )
        except RefusalError as refusal:
            return ModelStored(at_ms=now_ms(), job=action.job, error=refusal.detail)
        except OSError as error:
            return ModelStored(
                at_ms=now_ms(), job=action.job, error=f"{error.strerror}: {error.filename}"
            )
        return ModelStored(
            at_ms=now_ms(),
            job=action.job,
            digest=tree.digest,
            size_bytes=tree.size_bytes,
            files=tree.files,
            weights=weights,
        )

    async def remove_home(self, action: RemoveHome) -> HomeRemoved:
        error = ""
        try:
            await asyncio.to_thread(self._homes.remove, action.path)
        except OSError as failure:
            error = f"{failure.strerror}: {failure.filename}"
        return HomeRemoved(at_ms=now_ms(), workspace=action.workspace, error=error)
