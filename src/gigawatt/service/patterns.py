"""Patterns that callers look for in lines, matched within a limit of time: theirs must not stop us."""

from collections.abc import Iterable

import regex

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.lines import LogLine

PATTERN_CHARS_MAX = 1_000
LINE_S_MAX = 2.0  # of one line, or of looking for one pattern in it


class Pattern:
    """A regular expression as Python writes them. Raises RefusalError, with the position of the mistake."""

    def __init__(self, text: str) -> None:
        if len(text) > PATTERN_CHARS_MAX:
            detail = (
                f"the pattern has {len(text)} characters, over the limit of {PATTERN_CHARS_MAX}"
            )
            raise RefusalError(RefusalCode.INVALID, detail, field="grep")
        try:
            self._compiled = regex.compile(text)
        except regex.error as error:
            raise _not_one(text, error) from error

    def among(self, lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
        """Those in which it is found. Blocks, but lets other threads run. Raises RefusalError for one that takes too long."""
        return tuple(each for each in lines if self._is_in(each.line.decode(errors="replace")))

    def _is_in(self, line: str) -> bool:
        try:
            found = self._compiled.search(line, timeout=LINE_S_MAX, concurrent=True)
        except TimeoutError as error:
            raise RefusalError(
                RefusalCode.INVALID,
                f"the pattern takes more than {LINE_S_MAX:g} s on one line",
                field="grep",
                hint="repetitions within repetitions, like (a+)+, are the usual cause",
            ) from error
        return found is not None


def _not_one(text: str, error: regex.error) -> RefusalError:
    position = int(getattr(error, "pos", None) or 0)  # its stubs do not have it
    return RefusalError(
        RefusalCode.INVALID,
        f"the pattern is wrong at character {position + 1}: {getattr(error, 'msg', error)}",
        field="grep",
        hint=f"{text[:position]} ▸ {text[position:]}; a character meant as itself is written after \\",
    )
