"""Objects of a bucket for S3 volumes: listed, read by ranges side by side, fetched whole and verified.

Each request names the ETag of the listing (`If-Match`), so that what has changed since is refused by the storage and
never mixed. Bytes are counted, and checked against the ETag where it is made of them, which it is not for objects
encrypted with keys of KMS or of a customer.
"""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from gigawatt.build.etags import OF_PARTS, Check
from gigawatt.build.listings import OBJECTS_MAX, Listed
from gigawatt.build.s3_client import SIDE_BY_SIDE, Place, Reading
from gigawatt.model.refusal import RefusalCode, RefusalError

RANGE_BYTES = 8 * 1024 * 1024
TRIES = 4  # of one request, with growing pauses between them
PAUSE_S = 0.2  # before a range is asked for again; doubled each time
PLAIN_ENCRYPTION = frozenset({"", "AES256"})  # with which an ETag is still the MD5
CHANGED = frozenset({"412", "PreconditionFailed"})
GONE = frozenset({"404", "NoSuchKey", "NotFound"})
REFUSED = {
    "NoSuchBucket": ("url", "there is no such bucket"),
    "InvalidAccessKeyId": ("secret", "the access key is not known there"),
    "SignatureDoesNotMatch": ("secret", "the secret key is wrong"),
    "AccessDenied": ("secret", "access is denied"),
    "403": ("secret", "access is denied"),
    "ExpiredToken": ("secret", "the credentials have expired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at once, and how often."""

    range_bytes: int = RANGE_BYTES
    tries: int = TRIES


class _Got(NamedTuple):
    data: bytes
    tells: bool  # its ETag is made of its bytes


class Reader:
    """One prefix of one bucket, which somebody else may write. Any thread may call.

    Raises RefusalError: `invalid` for keys and buckets that are wrong, `conflict` for objects that have changed or gone
    since they were listed, `unavailable` where the storage fails.
    """

    def __init__(self, place: Place, client: Reading, *, pace: Pace | None = None) -> None:
        self._place = place
        self._client = client
        self._pace = pace or Pace()

    def objects(self) -> Iterator[Listed]:
        """Every object below the prefix; keys that end with a slash stand for directories and are left out."""
        prefix = f"{self._place.prefix}/" if self._place.prefix else ""
        more: dict[str, Any] = {}
        count = 0
        while True:
            with self._told():
                page = self._client.list_objects_v2(
                    Bucket=self._place.bucket, Prefix=prefix, **more
                )
            for each in page.get("Contents", ()):
                if each["Key"].endswith("/"):
                    continue
                count += 1
                if count > OBJECTS_MAX:
                    raise _too_many(self._place)
                path = each["Key"].removeprefix(prefix)
                yield Listed(path=path, size=each["Size"], etag=each["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def range(self, each: Listed, start: int, end: int) -> bytes:
        """Bytes from `start` up to `end`. A body that breaks off is asked for again."""
        with self._told(each):
            return self._range(each, start, end).data

    def fetch(self, each: Listed, target: Path) -> None:
        """Write the object to a new file at `target`, whole, verified and durable; nothing is there when it raises.

        Raises also OSError, and RefusalError (digest-mismatch).
        """
        try:
            with target.open("xb") as file, self._told(each):
                self._write(each, file)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _write(self, each: Listed, file: BinaryIO) -> None:
        check = Check(each.etag, each.size, part_bytes=self._part_bytes(each))
        for got in self._ranges(each):
            check.checks &= got.tells
            check.update(got.data)
            file.write(got.data)
        if not check.holds():
            detail = f"{each.path} in {self._place.url} is not what its ETag {each.etag} is of"
            hint = "it was damaged there or on the way: ask again, or store it anew"
            raise RefusalError(RefusalCode.DIGEST_MISMATCH, detail, field="path", hint=hint)

    def _part_bytes(self, each: Listed) -> int:
        """Of an object that was sent in parts, what the first has; of an empty one, whether it is still there."""
        if OF_PARTS.fullmatch(each.etag) is not None:
            # Some servers compare If-Match with the ETag of the part; the ranges are asked for with it.
            named = {"Bucket": self._place.bucket, "Key": self._place.key(each.path)}
            return self._client.head_object(**named, PartNumber=1)["ContentLength"]
        if not each.size:
            self._client.head_object(**self._named(each))
        return 0

    def _ranges(self, each: Listed) -> Iterator[_Got]:
        """All its bytes in order, of which several ranges are on their way."""
        step = self._pace.range_bytes
        starts = range(0, each.size, step)
        if len(starts) <= 1:
            if each.size:
                yield self._range(each, 0, each.size)
            return
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="s3-read") as threads:
            coming: deque[Future[_Got]] = deque()
            try:
                for start in starts:
                    end = min(start + step, each.size)
                    coming.append(threads.submit(self._range, each, start, end))
                    if len(coming) == SIDE_BY_SIDE:
                        yield coming.popleft().result()
                while coming:
                    yield coming.popleft().result()
            finally:
                for one in coming:
                    one.cancel()

    def _range(self, each: Listed, start: int, end: int) -> _Got:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        pause_s = PAUSE_S
        for attempt in range(self._pace.tries):
            if attempt:
                threading.Event().wait(pause_s)
                pause_s *= 2
            # The client asks again by itself for what is not answered, but not where a body breaks off.
            asked = {**self._named(each), "Range": f"bytes={start}-{end - 1}"}
            reply = self._client.get_object(**asked)
            try:
                data: bytes = reply["Body"].read()
            except (BotoCoreError, HTTPError, OSError):
                if attempt + 1 == self._pace.tries:
                    raise
            else:
                if len(data) == end - start:
                    return _Got(data, _is_md5(reply))
        detail = f"{self._place.url} gave less of {each.path} than it said it has"
        raise RefusalError(RefusalCode.UNAVAILABLE, detail, field="url")

    def _named(self, each: Listed) -> dict[str, str]:
        key = self._place.key(each.path)
        return {"Bucket": self._place.bucket, "Key": key, "IfMatch": f'"{each.etag}"'}

    @contextmanager
    def _told(self, each: Listed | None = None) -> Generator[None]:
        """Turn the library's errors into RefusalError, without its own words: they may hold URLs that are signed."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as error:
            raise self._refusal(_code(error), each) from None
        except (BotoCoreError, HTTPError) as error:
            raise self._unavailable(type(error).__name__) from None

    def _refusal(self, code: str, each: Listed | None) -> RefusalError:
        if each is not None and code in CHANGED | GONE:
            what = "has changed" if code in CHANGED else "has gone"
            detail = f"{each.path} in {self._place.url} {what} since it was listed"
            hint = "gw data refresh NAME makes a version of what is there now"
            return RefusalError(RefusalCode.CONFLICT, detail, field="path", hint=hint)
        if code in REFUSED:
            field, why = REFUSED[code]
            detail = f"{self._place.url} cannot be read: {why}"
            hint = "set the secret anew" if field == "secret" else "correct the URL"
            return RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)
        return self._unavailable(f"it answers {code[:100]}")

    def _unavailable(self, why: str) -> RefusalError:
        detail = f"{self._place.url} cannot be reached: {why}"
        hint = "ask again when the storage answers; nothing was half kept"
        return RefusalError(RefusalCode.UNAVAILABLE, detail, field="url", hint=hint)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_md5(reply: dict[str, Any]) -> bool:
    """Whether the ETag of what was answered is made of its bytes."""
    encrypted = reply.get("ServerSideEncryption", "") not in PLAIN_ENCRYPTION
    return not encrypted and not reply.get("SSECustomerAlgorithm")


def _too_many(place: Place) -> RefusalError:
    detail = f"{place.url} has more than {OBJECTS_MAX} objects, which is the limit of a version"
    hint = "make volumes of longer prefixes, or pack small objects together"
    return RefusalError(RefusalCode.TOO_LARGE, detail, field="url", hint=hint)
