"""A page that needs nothing else: no script, no fonts, no network. All text of it is escaped; it is well-formed XML too."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files


def document(title: str, sections: Iterable[str]) -> str:
    """The whole page; `sections` are markup."""
    style = files("gigawatt.twin").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        '<meta name="color-scheme" content="light dark"/>'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{''.join(sections)}</main></body></html>\n"
    )


def table(
    caption: str, heads: Sequence[str], body: Iterable[Sequence[str]], *, raw: Sequence[int] = ()
) -> str:
    """`raw`: columns that are markup of ours already; all else is escaped."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    rows: list[str] = []
    for row in body:
        cells = [each if place in raw else escape(each) for place, each in enumerate(row) if place]
        first = f'<th scope="row">{escape(row[0])}</th>'
        rows.append(f"<tr>{first}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    caption = f'<caption class="quiet">{escape(caption)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
