"""A trace's lines, and what is wrong with one of them."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError

READ = "a trace is a file of text, plain or whole in gzip as .gz"


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, from 1; a file that ends in .gz is unpacked. Raises RefusalError."""
    opened = gzip.open if file.suffix == ".gz" else open
    number = 0
    try:
        with opened(file, "rt", encoding="utf-8") as stream:
            for line in stream:
                number += 1
                yield number, line.rstrip("\r\n")
    except FileNotFoundError as error:
        detail = f"there is no file {file}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="file", hint=READ) from error
    except (OSError, EOFError, zlib.error) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or error
        detail = f"cannot read {file} after line {number}: {why}"
        raise RefusalError(RefusalCode.INVALID, detail, field="file", hint=READ) from error
    except UnicodeDecodeError as error:
        detail = f"{file} is not text after line {number}"
        hint = "traces are UTF-8, or that packed as .gz"
        raise RefusalError(RefusalCode.INVALID, detail, field="file", hint=hint) from error


def wrong(file: Path, number: int, field: str, problem: str, allowed: str) -> RefusalError:
    """One field of one line is not what it may be."""
    detail = f"{file}, line {number}: {field} {problem}"
    return RefusalError(RefusalCode.INVALID, detail, field=field, hint=f"allowed: {allowed}")
