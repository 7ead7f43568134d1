"""Writes that hold only for an object as it was read."""

from gigawatt.model.refusal import RefusalCode, RefusalError


def check_version(what: str, version: int, if_version: int) -> None:
    """`what` names the object, which has `version`; an `if_version` of 0 is any. Raises RefusalError (stale-version)."""
    if if_version not in {0, version}:
        detail = f"{what} has version {version}, not {if_version}"
        raise RefusalError(RefusalCode.STALE_VERSION, detail, field="If-Match")
