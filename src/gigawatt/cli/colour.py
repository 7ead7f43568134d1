"""Colour for single words; click takes it out again where there is no terminal. NO_COLOR is respected."""

import os

import click


def painted(text: str, colour: str = "", *, bold: bool = False) -> str:
    """`text` in a colour, bold, or both."""
    if os.environ.get("NO_COLOR"):
        return text
    return click.style(text, fg=colour or None, bold=bold or None)
