"""What a launch needs on nodes that do not see the control plane's directory: bundles by their links, trees beside them."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gigawatt.engine.local.bundles import Archive
from gigawatt.engine.local.launching import Part
from gigawatt.engine.local.link import LinkLostError, Message, RefusedError
from gigawatt.engine.local.provisions import PREPARING_TOLD_EVERY_S
from gigawatt.engine.ray.trees import Trees
from gigawatt.model.refusal import RefusalCode, RefusalError

PART_BYTES = 1 << 20
UNPACK_S = 120.0


class NotCarriedError(Exception):
    """Something did not come to a node."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(why)
        self.node = node


class Ask(Protocol):
    async def __call__(self, node: str, verb: str, **fields: Any) -> Message: ...


class Carrier:
    def __init__(self, ask: Ask, trees: Trees, archive: Archive | None) -> None:
        self._ask = ask
        self._trees = trees
        self._archive = archive
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def carried(
        self,
        digest: str,
        parts: Mapping[str, Part],
        *,
        far: Mapping[str, tuple[str, ...]],
        known: bool,
        goes_on: Callable[[], None],
    ) -> dict[str, Part]:
        """Parts with the bundle on those nodes that are `far`, and the paths that each needs there too; `goes_on` is
        called meanwhile. An attempt that is `known` may run already: then its nodes themselves are asked, whatever
        comes of it here. Raises NotCarriedError, RefusalError.
        """
        if not far:
            return dict(parts)
        carrying = asyncio.gather(
            *(self._tried(node, digest, paths, known=known) for node, paths in far.items())
        )
        while not (await asyncio.wait({carrying}, timeout=PREPARING_TOLD_EVERY_S))[0]:
            goes_on()
        places = dict(zip(far, await carrying, strict=True))
        return {
            node: {**part, "template": places.get(node) or part["template"]}
            for node, part in parts.items()
        }

    async def carry(self, node: str, digest: str) -> str:
        """Where the bundle is unpacked on that node; what has come of it before is not sent again.

        Raises RefusalError where the store does not have it, LinkLostError, RefusedError, StaleEpochError.
        """
        name = digest.removeprefix("sha256:")
        async with self._locks[node, name]:
            there = await self._ask(node, "bundle", digest=name)
            if there["path"]:
                return str(there["path"])
            if self._archive is None:
                raise RefusalError(RefusalCode.UNSUPPORTED, "this engine has no store of bundles")
            archive = await asyncio.to_thread(self._archive, digest)
            await self._send(node, name, archive, begin=int(there["bytes"]))
            done = await self._ask(node, "bundle-whole", digest=name, timeout_s=UNPACK_S)
            return str(done["path"])

    async def _tried(self, node: str, digest: str, paths: tuple[str, ...], *, known: bool) -> str:
        """Where the bundle is on that node; "" without one."""
        try:
            for path in paths:
                await self._trees.carry(node, path)
            return await self.carry(node, digest) if digest else ""
        except (OSError, LinkLostError, RefusedError) as error:
            if known:
                return ""
            raise NotCarriedError(node, str(error)) from error

    async def _send(self, node: str, name: str, archive: Path, *, begin: int) -> None:
        size = (await asyncio.to_thread(archive.stat)).st_size
        offset = begin if begin <= size else 0
        with await asyncio.to_thread(archive.open, "rb") as file:
            file.seek(offset)
            while data := await asyncio.to_thread(file.read, PART_BYTES):
                text = base64.b64encode(data).decode()
                await self._ask(node, "bundle-part", digest=name, offset=offset, data=text)
                offset += len(data)
