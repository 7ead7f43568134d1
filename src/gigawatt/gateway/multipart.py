"""A form with a file in it (RFC 7578), as clients send it to /v1/files. No I/O."""

import re
from dataclasses import dataclass

from gigawatt.gateway.errors import ErrorReply, malformed

PARTS_MAX = 32
_BOUNDARY = re.compile(rb'boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'[; ]name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    fields: dict[str, str]
    filename: str
    content: bytes


def parse_form(body: bytes, content_type: bytes) -> Form | ErrorReply:
    """The fields of a form, and the file that is called `file`."""
    if not content_type.lower().startswith(b"multipart/form-data"):
        sent = content_type[:64].decode("ascii", "replace") or "nothing"
        return malformed(
            f"The body must be multipart/form-data, not {sent}.", code="invalid_content_type"
        )
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return malformed("The content type has no boundary.", code="invalid_content_type")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary[1].rstrip())
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        return malformed(
            "The form does not end: its last boundary is missing.", code="invalid_form"
        )
    if len(parts) > PARTS_MAX:
        return malformed(f"The form has more than {PARTS_MAX} parts.", code="invalid_form")
    fields: dict[str, str] = {}
    file: tuple[str, bytes] | None = None
    for part in parts[1:-1]:
        head, found, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not found or name is None:
            return malformed("A part of the form has no name.", code="invalid_form")
        filename = _FILENAME.search(head)
        if name[1] == b"file":
            file = (filename[1].decode(errors="replace") if filename else "file", content)
        else:
            fields[name[1].decode(errors="replace")] = content.decode(errors="replace")
    if file is None:
        return malformed("The form has no `file`.", code="missing_required_parameter", param="file")
    return Form(fields=fields, filename=file[0], content=file[1])
