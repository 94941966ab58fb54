"""Progress in a notebook: one output of the cell, which is changed in place and saved as it was at the end.

It is plain HTML, and text where a page shows none, so that it needs no widgets and no script. IPython is asked only
where it runs already.
"""

from __future__ import annotations

import sys
from typing import Any

from nbinfer import html
from nbinfer.engine.reported import Moment, head_of, time_of

#: Kernels whose windows show an output once and do not change it.
_NEVER_CHANGED = ("spyder_kernels",)


def kernel() -> Any:
    """Return the IPython shell of this process if a page or window stands before it, and not a terminal; else None."""
    try:
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        return shell if hasattr(shell, "kernel") else None
    except Exception:  # whatever calls itself IPython here
        return None


def in_notebook() -> bool:
    """Tell whether this runs in a notebook: where an output that is there can be changed."""
    shell = kernel()
    return shell is not None and type(shell).__module__.partition(".")[0] not in _NEVER_CHANGED


def page() -> Page | None:
    """Return what shows progress in the notebook that this runs in; None if it does not."""
    return Page() if in_notebook() else None


class Page:
    """What is told how far a run is, and shows it in the output of a cell."""

    def __init__(self) -> None:
        self._output: Any = None

    def __call__(self, moment: Moment) -> None:
        """Show it: the first time as a new output, then in its place."""
        bundle = {"text/plain": as_text(moment), "text/html": as_html(moment)}
        if self._output is None:
            from IPython.display import display

            self._output = display(bundle, raw=True, display_id=True)
        else:
            self._output.update(bundle, raw=True)


def as_html(moment: Moment) -> str:
    """Return a bar for each job, and what is said of all."""
    head, rows = _said(moment)
    return html.bars(head, rows)


def as_text(moment: Moment) -> str:
    """Return the same as lines."""
    head, rows = _said(moment)
    found = [(label, f"{done}/{total}" if total else f"{done}", text) for label, done, total, text in rows]
    widths = [max((len(row[column]) for row in found), default=0) for column in (0, 1)]
    lines = (f"{label:{widths[0]}}  {count:>{widths[1]}}  {text}".strip() for label, count, text in found)
    return "\n".join([*([head] if head else []), *lines])


def _said(moment: Moment) -> tuple[str, list[tuple[str, int, int | None, str]]]:
    """Return what is said of all jobs, and of each its name, how far it is and what it says; one job says all."""
    head, texts = head_of(moment), [job.text for job in moment.jobs]
    if len(moment.jobs) == 1:
        head, texts = "", ["; ".join(filter(None, [time_of(moment), *texts]))]
    rows = zip(moment.jobs, texts, strict=True)
    return head, [(job.label or f"{moment.unit}s", job.done, moment.total, text) for job, text in rows]
