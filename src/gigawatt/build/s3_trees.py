"""Versions of S3 volumes: listed, read by ranges, laid out on nodes as trees are.

<node's data>/objects/<xx>/<hex>   objects, each once for all trees of the node; linked into them

So a version that changes three objects of a thousand fetches three, and a fetch that broke off is taken up again. What
no tree links to any more goes with the trees that are evicted.
"""

import hashlib
import json
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.buckets import key_for, parse_bucket
from gigawatt.build.listings import Listed, Listing, listing_of, ordered
from gigawatt.build.making import making
from gigawatt.build.room import room_needed
from gigawatt.build.s3_client import connect_as
from gigawatt.build.s3_ranges import TRIES
from gigawatt.build.s3_reader import Pace, Reader
from gigawatt.build.secrets import SecretFiles
from gigawatt.clock import entropy
from gigawatt.engine.local.aside import mark_used
from gigawatt.engine.local.datasets import OBJECTS
from gigawatt.model.refusal import RefusalCode, RefusalError

SIDE_BY_SIDE = 8  # objects of one tree
CONNECTIONS_MAX = 16  # kept, by place and key


class S3Trees:
    """Reads buckets with the secrets of the listings' owners; none of them leaves this process. Calls block."""

    def __init__(
        self,
        store: ArtifactStore,
        secrets: SecretFiles,
        *,
        endpoints: Sequence[str] = (),
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._endpoints = tuple(endpoints)
        self._pace = pace or Pace()
        self._lock = threading.Lock()
        self._connections: OrderedDict[str, Reader] = OrderedDict()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Those that are allowed, besides AWS."""
        return self._endpoints

    def look(self, owner: str, url: str, secret: str) -> Listing:
        """What is there now. Raises RefusalError as `Reader`, and for a URL, a secret or keys that cannot be used."""
        place = parse_bucket(url, self._endpoints)
        objects = ordered(self._reader(owner, url, secret).objects(), where=place.url)
        return Listing(owner=owner, url=url, secret=secret, objects=objects)

    def read(self, digest: str, each: Listed, start: int, end: int) -> bytes:
        """A range of one object of a listing. Raises RefusalError as `Reader`."""
        listing = listing_of(self._store, digest)
        assert listing is not None, f"{digest} is no listing"
        return self._reader(listing.owner, listing.url, listing.secret).range(each, start, end)

    def materialise(self, digest: str, target: Path) -> Path:
        """The tree or the listing of that digest as a read-only directory at `target`; its path.

        It is whole, and made once also when many ask. Raises RefusalError as `ArtifactStore.materialise` and `Reader`.
        """
        if mark_used(target):
            return target
        listing = listing_of(self._store, digest)
        if listing is None:
            return self._store.materialise(digest, target)
        reader = self._reader(listing.owner, listing.url, listing.secret)
        with room_needed(target), making(target) as partial:
            if partial is not None:
                _Laying(reader, listing, target.parent / OBJECTS, partial).lay()
        return target

    def _reader(self, owner: str, url: str, secret: str) -> Reader:
        """One for each place and key: secrets are read each time, so that one set anew counts at once."""
        place = parse_bucket(url, self._endpoints)
        key = key_for(self._secrets, owner, secret, place)
        name = hashlib.sha256(json.dumps([url, sorted(key.items())]).encode()).hexdigest()
        with self._lock:
            known = self._connections.pop(name, None)
            if known is None:
                known = Reader(place, connect_as(place, key, tries=TRIES), pace=self._pace)
            self._connections[name] = known
            while len(self._connections) > CONNECTIONS_MAX:
                self._connections.popitem(last=False)
        return known


class _Laying:
    """One listing on its way into one directory."""

    def __init__(self, reader: Reader, listing: Listing, objects: Path, partial: Path) -> None:
        self._reader = reader
        self._listing = listing
        self._objects = objects
        self._partial = partial

    def lay(self) -> None:
        """Fetch what the node lacks and link all of it. All threads have ended when this returns or raises."""
        self._check_room()
        for directory in sorted({(self._partial / each.path).parent for each in self._each()}):
            directory.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="s3-lay") as threads:
            laid = [threads.submit(self._lay, each) for each in self._each()]
            try:
                for each in laid:
                    each.result()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        for parent, _, _ in os.walk(self._partial, topdown=False):
            Path(parent).chmod(0o555)

    def _check_room(self) -> None:
        """Before the first byte: a fetch that cannot end would only fill the node. Raises RefusalError (disk-full)."""
        lacking = [each.size for each in self._each() if not self._known(each).exists()]
        free_bytes = shutil.disk_usage(self._partial).free
        if sum(lacking) > free_bytes:
            detail = (
                f"{sum(lacking) >> 20} MiB of {self._listing.url} are to be fetched, and the node's disk "
                f"has {free_bytes >> 20} MiB free"
            )
            hint = "make room, or a volume of a longer prefix"
            raise RefusalError(RefusalCode.DISK_FULL, detail, hint=hint)

    def _each(self) -> tuple[Listed, ...]:
        return self._listing.objects

    def _lay(self, each: Listed) -> None:
        known = self._known(each)
        target = self._partial / each.path
        if not known.exists():
            self._fetch(each, known)
        try:
            target.hardlink_to(known)
        except FileNotFoundError:  # an eviction was quicker
            self._fetch(each, known)
            target.hardlink_to(known)

    def _fetch(self, each: Listed, known: Path) -> None:
        known.parent.mkdir(parents=True, exist_ok=True)
        part = known.with_name(f"{known.name}.{entropy(4).hex()}.part")
        self._reader.fetch(each, part)
        part.rename(known)

    def _known(self, each: Listed) -> Path:
        """Where the node keeps it. The owner is part of the name: no tenant is given what another fetched."""
        identity = [self._listing.owner, self._listing.url, each.path, each.etag, each.size]
        name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        return self._objects / name[:2] / name
