"""Where an instance's artifacts are kept is remembered beside them, so that a change of it is noticed and carried out."""

import logging
from pathlib import Path

from gigawatt.build.incoming import DIGESTS
from gigawatt.build.remote import FIELD, Remote
from gigawatt.model.refusal import RefusalCode, RefusalError

log = logging.getLogger(__name__)

NOTE = "kept-in"


def settle(root: Path, remote: Remote | None, *, owner: str) -> None:
    """Send what is below `root` to a remote that is new here. Where it is the one of last time, nothing is asked of it.

    It becomes the place of `owner` where it is nobody's yet.

    Raises RefusalError: `unavailable` where a new remote cannot be used; `conflict` where there was one and is none any
    more, for then what is not cached would be lost from sight. The next start goes on where this one broke.
    """
    note = root / NOTE
    before = note.read_text() if note.exists() else ""
    if remote is None:
        if before:
            raise RefusalError(
                RefusalCode.CONFLICT,
                f"the artifacts of this instance are kept in {before}, and artifacts_url is empty",
                field=FIELD,
                hint=f"set artifacts_url again, or delete {note} and have only what is cached here",
            )
        return
    taken_back = remote.sweep()
    if taken_back:
        log.info("took back %d uploads to %s that were killed", taken_back, remote.url)
    if before == remote.url:
        return
    remote.check()
    if not remote.owner():
        remote.own(owner)
    sent = 0
    for path in sorted((root / DIGESTS).glob("??/*")):
        if not remote.has(path.name):
            remote.send(path.name, path)
            sent += 1
    root.mkdir(parents=True, exist_ok=True)
    partial = note.with_suffix(".partial")
    partial.write_text(remote.url)
    partial.rename(note)
    log.info("artifacts are kept in %s from now on; %d were sent there", remote.url, sent)
