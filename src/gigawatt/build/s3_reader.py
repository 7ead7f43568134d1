"""Objects of a bucket for S3 volumes: listed, read by ranges side by side, fetched whole and verified.

Each request names the ETag of the listing (`If-Match`), so that what has changed since is refused by the storage and
never mixed. Bytes are counted, and checked against the ETag where it is made of them, which it is not for objects
encrypted with keys of KMS or of a customer.
"""

import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from gigawatt.build.etags import OF_PARTS, Check, etag_of_parts
from gigawatt.build.listings import OBJECTS_MAX, Listed
from gigawatt.build.s3_client import SIDE_BY_SIDE, Place, Reading
from gigawatt.build.s3_ranges import TRIES, Got, ShortError, read_range, side_by_side
from gigawatt.model.refusal import RefusalCode, RefusalError

RANGE_BYTES = 8 * 1024 * 1024
DIRECTORY_BUCKET = "--x-s3"  # ends the name of each, whose ETags are not made of the bytes
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
        """Every object below the prefix; empty ones whose key ends with a slash stand for directories and are left out."""
        prefix = f"{self._place.prefix}/" if self._place.prefix else ""
        more: dict[str, Any] = {}
        count = 0
        while True:
            with self._told():
                page = self._client.list_objects_v2(
                    Bucket=self._place.bucket, Prefix=prefix, **more
                )
            for each in page.get("Contents", ()):
                if each["Key"].endswith("/") and not each["Size"]:
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
            with target.open("x+b") as file, self._told(each):
                self._write(each, file)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _write(self, each: Listed, file: BinaryIO) -> None:
        check = Check(each.etag, each.size, part_bytes=self._part_bytes(each))
        tells = not self._place.bucket.endswith(DIRECTORY_BUCKET)
        for got in self._ranges(each):
            tells &= _is_md5(got.reply)
            check.update(got.data)
            file.write(got.data)
        if tells and not self._is_right(each, check, file):
            detail = f"{each.path} in {self._place.url} is not what its ETag {each.etag} is of"
            hint = "it was damaged there or on the way: ask again, or store it anew"
            raise RefusalError(RefusalCode.DIGEST_MISMATCH, detail, field="path", hint=hint)

    def _is_right(self, each: Listed, check: Check, file: BinaryIO) -> bool:
        """As far as its ETag tells. Parts that are not all of one size are asked for theirs, and read again."""
        parts = OF_PARTS.fullmatch(each.etag)
        if parts is None or (check.checks and check.holds()):
            return check.holds()
        sizes = self._part_sizes(each, int(parts[1]))
        if sum(sizes) != each.size:  # not every storage knows
            return not check.checks
        file.flush()
        return etag_of_parts(file.fileno(), sizes) == each.etag

    def _part_sizes(self, each: Listed, count: int) -> list[int]:
        named = {"Bucket": self._place.bucket, "Key": self._place.key(each.path)}

        def size(number: int) -> int:
            return self._client.head_object(**named, PartNumber=number)["ContentLength"]

        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="s3-parts") as threads:
            return list(threads.map(size, range(1, count + 1)))

    def _part_bytes(self, each: Listed) -> int:
        """Of an object that was sent in parts, what the first has; of an empty one, whether it is still there."""
        if OF_PARTS.fullmatch(each.etag) is not None:
            # Some servers compare If-Match with the ETag of the part; the ranges are asked for with it.
            named = {"Bucket": self._place.bucket, "Key": self._place.key(each.path)}
            return self._client.head_object(**named, PartNumber=1)["ContentLength"]
        if not each.size:
            self._client.head_object(**self._named(each))
        return 0

    def _ranges(self, each: Listed) -> Iterator[Got]:
        """All its bytes in order."""
        return side_by_side(partial(self._range, each), each.size, self._pace.range_bytes)

    def _range(self, each: Listed, start: int, end: int) -> Got:
        ask = partial(self._asked, self._named(each))
        try:
            return read_range(ask, start, end, tries=self._pace.tries)
        except ShortError:
            detail = f"{self._place.url} gave less of {each.path} than it said it has"
            raise RefusalError(RefusalCode.UNAVAILABLE, detail, field="url") from None

    def _asked(self, named: dict[str, str], span: str) -> dict[str, Any]:
        return self._client.get_object(**named, Range=span)

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
