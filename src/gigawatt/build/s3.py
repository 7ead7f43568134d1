"""Artifacts in S3-compatible storage: sent in parts side by side, fetched by ranges side by side, with bounded retries.

Each part is sent with its MD5, which the storage checks. A send that fails takes its parts back; where that fails too, or
the process is killed, the next start does it: what is being sent is written down first.
"""

import base64
import hashlib
import json
import math
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gigawatt.build.remote import FIELD, OWNER, OWNER_BYTES_MAX, Listed, lost
from gigawatt.build.s3_client import SIDE_BY_SIDE, Client, Place, connect, parse_place
from gigawatt.build.s3_ranges import TRIES, ShortError, read_range, side_by_side
from gigawatt.build.trees import HEX
from gigawatt.model.refusal import RefusalCode, RefusalError

PART_BYTES = 16 * 1024 * 1024
PART_BYTES_UNIT = 1024 * 1024
PARTS_MAX = 10_000  # of one upload, by S3's own rule
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
WHY = {
    "NoSuchBucket": ("there is no such bucket", "make the bucket, or correct artifacts_url"),
    "InvalidAccessKeyId": ("the access key is not known there", "correct the credentials"),
    "SignatureDoesNotMatch": ("the secret key is wrong", "correct the credentials"),
    "AccessDenied": ("access is denied", "let the key read, write and delete below the prefix"),
    "403": ("access is denied", "correct the credentials, or what they may do"),
    "ExpiredToken": ("the credentials have expired", "give new ones"),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set the clock"),
}
TRANSIENT_HINT = "ask again when the storage answers; nothing was half kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at once, and how often."""

    part_bytes: int = PART_BYTES
    tries: int = TRIES


def open_s3(url: str, *, credentials: str, state: Path) -> "S3":
    """Raises RefusalError (invalid, unsupported)."""
    place = parse_place(url)
    return S3(place, connect(place, credentials, tries=TRIES), state=state)


class S3:
    """One prefix of one bucket, which is this instance's alone."""

    def __init__(
        self, place: Place, client: Client, *, state: Path, pace: Pace | None = None
    ) -> None:
        self._place = place
        self._client = client
        self._state = state
        self._pace = pace or Pace()

    @property
    def url(self) -> str:
        return self._place.url

    def check(self) -> None:
        name = {"Bucket": self._place.bucket, "Key": self._place.key(".gigawatt")}
        with self._told():
            self._client.put_object(**name, Body=b"gigawatt")
            self._client.head_object(**name)
            self._client.delete_object(**name)

    def has(self, hex_digits: str) -> bool:
        with self._told():
            return self._size(hex_digits) is not None

    def send(self, hex_digits: str, path: Path) -> None:
        size_bytes = path.stat().st_size
        with self._told():
            if size_bytes <= self._pace.part_bytes:
                data = path.read_bytes()
                self._client.put_object(**self._name(hex_digits), Body=data, ContentMD5=_md5(data))
            else:
                self._send_parts(hex_digits, path, size_bytes)
            there = self._size(hex_digits)
        if there != size_bytes:
            detail = f"{self.url} has {there} bytes of an artifact of {size_bytes}"
            raise RefusalError(RefusalCode.UNAVAILABLE, detail, field=FIELD, hint=TRANSIENT_HINT)

    def chunks(self, hex_digits: str) -> Iterator[bytes]:
        with self._told():
            size_bytes = self._size(hex_digits)
            if size_bytes is None:
                raise lost(self.url, hex_digits)
            yield from side_by_side(
                partial(self._range, hex_digits), size_bytes, self._pace.part_bytes
            )

    def remove(self, hex_digits: str) -> None:
        with self._told():
            self._client.delete_object(**self._name(hex_digits))

    def listed(self) -> Iterator[Listed]:
        prefix = self._place.key("sha256/")
        client: Any = self._client
        with self._told():
            pages = client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._place.bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    name = str(each["Key"]).rpartition("/")[2]
                    if HEX.fullmatch(name) and each["Key"] == self._name(name)["Key"]:
                        yield Listed(
                            hex_digits=name,
                            size_bytes=each["Size"],
                            modified_ms=int(each["LastModified"].timestamp() * 1_000),
                        )

    def owner(self) -> str:
        from botocore.exceptions import ClientError

        with self._told():
            try:
                reply = self._client.get_object(**self._owner_name())
            except ClientError as error:
                if _code(error) in ABSENT:
                    return ""
                raise
            return reply["Body"].read(OWNER_BYTES_MAX).decode("utf-8", "replace").strip()

    def own(self, owner: str) -> None:
        with self._told():
            self._client.put_object(**self._owner_name(), Body=owner.encode())

    def sweep(self) -> int:
        """Raises nothing: what cannot be taken back now is tried again at the next start."""
        swept = 0
        for note in sorted(self._state.glob("*.json")):
            swept += self._take_back(note)
        return swept

    def _send_parts(self, hex_digits: str, path: Path, size_bytes: int) -> None:
        name = self._name(hex_digits)
        upload_id: str = self._client.create_multipart_upload(**name)["UploadId"]
        note = self._note(name, upload_id)
        try:
            parts = self._sent_parts(name, upload_id, path, size_bytes)
            self._client.complete_multipart_upload(
                **name, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        except BaseException:
            self._take_back(note)
            raise
        note.unlink(missing_ok=True)

    def _sent_parts(
        self, name: dict[str, str], upload_id: str, path: Path, size_bytes: int
    ) -> list[dict[str, Any]]:
        part_bytes = part_size(size_bytes, self._pace.part_bytes)
        failed = threading.Event()

        def sent(number: int) -> dict[str, Any]:
            if failed.is_set():
                return {}
            try:
                with path.open("rb") as file:
                    file.seek((number - 1) * part_bytes)
                    data = file.read(part_bytes)
                reply = self._client.upload_part(
                    **name,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=data,
                    ContentMD5=_md5(data),
                )
            except BaseException:
                failed.set()  # the others need not go on
                raise
            return {"PartNumber": number, "ETag": reply["ETag"]}

        numbers = range(1, math.ceil(size_bytes / part_bytes) + 1)
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="s3-send") as threads:
            # All of them have ended before the first failure is raised: nothing is sent after an abort.
            futures = [threads.submit(sent, number) for number in numbers]
        return [each.result() for each in futures]

    def _range(self, hex_digits: str, start: int, end: int) -> bytes:
        ask = partial(self._asked, self._name(hex_digits))
        try:
            return read_range(ask, start, end, tries=self._pace.tries).data
        except ShortError:
            detail = f"{self.url} gave less of sha256:{hex_digits} than it said it has"
            raise RefusalError(
                RefusalCode.UNAVAILABLE, detail, field=FIELD, hint=TRANSIENT_HINT
            ) from None

    def _asked(self, name: dict[str, str], span: str) -> dict[str, Any]:
        return self._client.get_object(**name, Range=span)

    def _size(self, hex_digits: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return self._client.head_object(**self._name(hex_digits))["ContentLength"]
        except ClientError as error:
            if _code(error) in ABSENT:
                return None
            raise

    def _note(self, name: dict[str, str], upload_id: str) -> Path:
        """What is being sent, for whoever has to take it back."""
        self._state.mkdir(parents=True, exist_ok=True)
        note = self._state / f"{hashlib.sha256(upload_id.encode()).hexdigest()[:32]}.json"
        note.write_text(json.dumps({**name, "UploadId": upload_id}))
        return note

    def _take_back(self, note: Path) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.abort_multipart_upload(**json.loads(note.read_text()))
        except ClientError as error:
            if _code(error) != "NoSuchUpload":
                return False
        except (BotoCoreError, OSError, ValueError):
            return False
        note.unlink(missing_ok=True)
        return True

    def _owner_name(self) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": self._place.key(OWNER)}

    def _name(self, hex_digits: str) -> dict[str, str]:
        key = self._place.key(f"sha256/{hex_digits[:2]}/{hex_digits}")
        return {"Bucket": self._place.bucket, "Key": key}

    @contextmanager
    def _told(self) -> Generator[None]:
        """Turn the library's errors into RefusalError (unavailable): the place, the cause, and what to do."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as error:
            code = _code(error)
            why, hint = WHY.get(code, (f"it answers {code[:100]}", TRANSIENT_HINT))
            raise self._unavailable(why, hint) from None
        except (BotoCoreError, HTTPError) as error:
            # Its own words may hold whole URLs, which can be signed.
            raise self._unavailable(f"{type(error).__name__}", TRANSIENT_HINT) from None

    def _unavailable(self, why: str, hint: str) -> RefusalError:
        detail = f"the artifacts in {self.url} cannot be reached: {why}"
        return RefusalError(RefusalCode.UNAVAILABLE, detail, field=FIELD, hint=hint)


def part_size(size_bytes: int, least_bytes: int) -> int:
    """Bytes of each part, so that there are no more of them than S3 allows."""
    needed = math.ceil(size_bytes / PARTS_MAX)
    return max(least_bytes, math.ceil(needed / PART_BYTES_UNIT) * PART_BYTES_UNIT)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _md5(data: bytes) -> str:
    """As the header Content-MD5 has it; against damage on the way, not against malice."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
