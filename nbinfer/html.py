"""HTML of what the package shows in a notebook: the few shapes that all of it is made of.

Pages are read in light and dark, years later, by others: styles stand at the elements, since a page that is not trusted
loses all others; colours are those of the page, but for a mark that is seen on white and on black; there is no script,
no link, and nothing that hides what is written. What comes in is plain text, and escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

#: Rows of a table that a page has room for.
MOST_ROWS = 60

#: Seen on white and on black.
_GOOD, _BAD = "#2a8f53", "#c8651b"
#: What a line of text is at most as wide as.
_READABLE = "max-width:60em"

_TEXT = "text-align:left;vertical-align:middle"
_NUMBER = "text-align:right;vertical-align:middle;white-space:pre;font-family:monospace"
_ONE_LINE = f"{_TEXT};white-space:nowrap"

#: A row of a table: its cells, or one text across all columns.
Row = Sequence[str] | str

Kind = TypeVar("Kind")


def escaped(text: object) -> str:
    """Return text as HTML."""
    from html import escape

    return escape(str(text))


def block(*parts: str) -> str:
    """Put what the functions below have written together; '' is left out."""
    return f'<div style="overflow-x:auto">{"".join(parts)}</div>'


def headline(text: str) -> str:
    """Write what it is."""
    return f'<p style="margin:4px 0"><strong>{escaped(text)}</strong></p>'


def lines(texts: Iterable[str | None]) -> str:
    """Write lines of text; those that are empty are left out."""
    return "".join(f'<p style="margin:4px 0;{_READABLE}">{escaped(text)}</p>' for text in texts if text)


def verdict(ok: bool, head: str, problems: Iterable[str] = (), notes: Iterable[str] = ()) -> str:
    """Write what was found, with a mark: what is wrong as a list, and what else is good to know below."""
    found = "".join(f"<li>{escaped(problem)}</li>" for problem in problems)
    listed = f'<ul style="margin:4px 0;padding-left:20px">{found}</ul>' if found else ""
    style = f"border-left:4px solid {_GOOD if ok else _BAD};padding-left:10px;margin:6px 0;{_READABLE}"
    return f'<div style="{style}">{lines([head])}{listed}{lines(notes)}</div>'


def table(head: Sequence[str], rows: Iterable[Row], numbers: bool = False) -> str:
    """Write a table.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : iterable
        Cells of each row, the first its name; or a text in place of a row.
    numbers : bool
        Whether cells but the first are numbers, which a text has aligned.
    """
    styles = [_TEXT] + [_NUMBER if numbers else _TEXT] * (len(head) - 1)
    ahead = "".join(f'<th style="{style}">{escaped(cell)}</th>' for style, cell in zip(styles, head, strict=True))
    body = "".join(f"<tr>{_cells(row, styles)}</tr>" for row in rows)
    return (
        '<table cellpadding="4" style="border-collapse:collapse;margin:4px 0">'
        f"<thead><tr>{ahead}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(row: Row, styles: Sequence[str]) -> str:
    if isinstance(row, str):
        return f'<td colspan="{len(styles)}" style="{_TEXT}">{escaped(row)}</td>'
    name, *cells = row
    rest = (f'<td style="{style}">{escaped(cell)}</td>' for style, cell in zip(styles[1:], cells, strict=True))
    return f'<th scope="row" style="{styles[0]}">{escaped(name)}</th>{"".join(rest)}'


def first(rows: Sequence[Kind], things: str, most: int = MOST_ROWS) -> list[Kind | str]:
    """Return the first rows or lines, and how many more things there are; all if there is one more."""
    left = len(rows) - most
    return list(rows) if left <= 1 else [*rows[:most], f"… and {left} more {things}"]


def bars(head: str, jobs: Iterable[tuple[str, int, int | None, str]]) -> str:
    """Write how far jobs are.

    Parameters
    ----------
    head : str
        What is said of all together.
    jobs : iterable of (str, int, int or None, str)
        What each is called, how many pieces it has made, of how many, and what is said of it.
    """
    rows = []
    for label, done, total, text in jobs:
        count = f"{done}/{total}" if total else f"{done}"
        # Without a value it would move for ever, on a page that was saved long ago.
        bar = f'<progress value="{done}" max="{total}" style="width:160px"></progress>' if total else ""
        rows.append(
            f'<tr><td style="{_ONE_LINE}">{escaped(label)}</td><td style="{_ONE_LINE}">{bar}</td>'
            f'<td style="{_NUMBER}">{count}</td><td style="{_TEXT}">{escaped(text)}</td></tr>'
        )
    return block(lines([head]), f'<table cellpadding="2" style="margin:4px 0"><tbody>{"".join(rows)}</tbody></table>')
