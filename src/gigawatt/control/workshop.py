"""Builds and stores on behalf of actions; a failure is an observation."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.environments import BuildFailedError, EnvironmentBuilder
from gigawatt.build.stored_weights import stored_weights
from gigawatt.clock import now_ms
from gigawatt.model.action import BuildEnvironment, StoreModel
from gigawatt.model.observation import EnvironmentBuilt, EnvironmentFailed, ModelStored
from gigawatt.model.refusal import RefusalError


class LocalWorkshop:
    """Environments and artifacts below the data directory of this instance."""

    def __init__(self, *, builder: EnvironmentBuilder, artifacts: ArtifactStore) -> None:
        self._builder = builder
        self._artifacts = artifacts

    def sweep(self) -> None:
        """Clear what killed builds and uploads left half made. Blocks."""
        self._builder.sweep()
        self._artifacts.sweep()

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
            )
        return EnvironmentFailed(at_ms=now_ms(), environment=action.environment, message=message)

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
