"""What `live_plot` and `live_plot_kwargs` ask for; all of it is checked before anything starts."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import MOST, choice, count, is_number, mapping, of_all
from nbinfer.engine.notebook import in_notebook
from nbinfer.spelling import meant, no_option, shown

#: Where a view may be asked to be; True is the one that fits.
PLACES = ("terminal", "notebook", "window")

#: Rows of a view at most.
_MOST = 100


class Asked(NamedTuple):
    """What a view is to be like.

    Attributes
    ----------
    place : {'terminal', 'log', 'notebook', 'window'}
        Where it is.
    var_names : object
        What is shown of a run; None: all.
    skip_first : int
        Iterations of each chain, warm-up included, that are left out; before, nothing is shown.
    refresh_every : int
        Iterations of the fastest chain from one look to the next, at least.
    most : int
        How many quantities are shown.
    figsize : tuple of float or None
        Of pictures, in inches.
    """

    place: str
    var_names: Any = None
    skip_first: int = 0
    refresh_every: int = 100
    most: int = 6
    figsize: tuple[float, float] | None = None


#: What live_plot_kwargs may have.
_OPTIONS = tuple(field for field in Asked._fields if field != "place")


def asked(live_plot: Any, live_plot_kwargs: Any) -> Asked | None:
    """Return what is asked for; None: nothing.

    Parameters
    ----------
    live_plot : bool or str
    live_plot_kwargs : mapping or None

    Raises
    ------
    TypeError
        If either is of a wrong type, or there is an option that views do not have.
    ValueError
        If there is no such place, or it is not to be had here; if an option has a value that it cannot have.
    ImportError
        If matplotlib is needed, and missing.
    """
    if isinstance(live_plot, str):
        choice("live_plot", live_plot, PLACES)
    elif not isinstance(live_plot, bool | np.bool_):
        raise TypeError(f"live_plot must be True, False or a place, 'terminal', 'notebook' or 'window', got "
                        f"{shown(live_plot)}.")  # fmt: skip
    options = dict(mapping("live_plot_kwargs", live_plot_kwargs))
    if not live_plot:
        if options:
            raise ValueError("live_plot_kwargs are of a live view, and there is none; pass live_plot=True.")
        return None
    if "varnames" in options and "var_names" not in options:  # as PyMC3 has it
        options["var_names"] = options.pop("varnames")
    for name in options:
        if name not in _OPTIONS:
            raise no_option("live_plot_kwargs", str(name), _OPTIONS)
    found = Asked("", **options)
    count("live_plot_kwargs: skip_first", found.skip_first, 0, MOST)
    count("live_plot_kwargs: refresh_every", found.refresh_every, 1, MOST)
    count("live_plot_kwargs: most", found.most, 1, _MOST)
    _check_size(found.figsize)
    of_all("live_plot_kwargs: var_names", found.var_names, ())
    return found._replace(place=_place(live_plot))


def _check_size(size: Any) -> None:
    if size is None:
        return
    pair = isinstance(size, tuple | list) and len(size) == 2 and all(is_number(n) and 0.5 <= n <= 50 for n in size)
    if not pair:
        raise ValueError(f"live_plot_kwargs: figsize must be width and height in inches, 0.5 to 50, got {shown(size)}.")


def _place(wanted: Any) -> str:
    """Return where a view can be; matplotlib is imported here if it is needed, not while the run goes on."""
    if wanted == "window":
        _needs_matplotlib()
        if not has_windows(anyway=True):
            raise ValueError(
                "live_plot='window' needs the main thread and a backend of matplotlib that opens windows, such as "
                "matplotlib.use('tkagg'); live_plot=True finds what there is."
            )
        return "window"
    if in_notebook():
        if wanted != "terminal":
            _needs_matplotlib()
            return "notebook"
        return "text"
    if wanted == "notebook":
        raise ValueError("live_plot='notebook' needs a notebook, and this is none; live_plot=True finds what there is.")
    if wanted != "terminal" and has_windows():
        return "window"
    return "terminal" if is_terminal(sys.stderr) else "log"


def _needs_matplotlib() -> None:
    from nbinfer.plots.look import matplotlib

    try:
        matplotlib()
    except ImportError as error:
        raise ImportError(
            "live_plot needs matplotlib here; get it with `pip install nbinfer[plot]`, or take live_plot='terminal', "
            "which draws with letters."
        ) from error


def is_terminal(file: Any) -> bool:
    """Tell whether a file is a terminal."""
    try:
        return bool(file.isatty())
    except Exception:  # there is none, or one that does not know what it is
        return False


def has_windows(anyway: bool = False) -> bool:
    """Tell whether pyplot opens windows: it is imported, if not `anyway`, and has a backend for that."""
    if not (anyway or "matplotlib.pyplot" in sys.modules) or threading.current_thread() is not threading.main_thread():
        return False
    matplotlib, known = (importlib.import_module(name) for name in ("matplotlib", "matplotlib.backends.registry"))
    windows = {name.lower() for name in known.backend_registry.list_builtin(known.BackendFilter.INTERACTIVE)}
    return matplotlib.get_backend().lower() in windows - {"nbagg", "webagg"}


def chosen(asked: Asked, known: Iterable[str], usual: Iterable[str], what: str) -> list[str]:
    """Return the names of what a view shows.

    Parameters
    ----------
    asked : Asked
    known : iterable of str
        What there is.
    usual : iterable of str
        What is shown where nothing is asked for.
    what : str
        Who has them, for messages.

    Raises
    ------
    ValueError
        If a name is none of these.
    """
    there, first = list(known), list(usual)
    names = first if asked.var_names is None else of_all("live_plot_kwargs: var_names", asked.var_names, first)
    for name in names:
        if name not in there:
            raise ValueError(
                f"live_plot_kwargs: var_names has unknown {name!r}; {what} has {', '.join(there) or 'nothing to show'}."
                f"{meant(name, there)}"
            )
    if not names:
        raise ValueError("live_plot_kwargs: var_names leaves nothing to be shown.")
    return names
