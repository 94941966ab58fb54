"""What a live view costs: ``python -m bench.live``.

One run with a view, one without, in turn, in one process, of equal draws; both write their bars or rows to a terminal
that nobody looks at. The median of the ratios of pairs is to be below 1.02, and no draw may differ. A picture at the
end of a run is not in the time of its sampling.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import nbinfer as nb
from bench import models
from bench.common import heading, table

BOUND = 1.02


@contextlib.contextmanager
def terminal() -> Iterator[None]:
    """Have standard error be a terminal whose screen is not looked at."""
    ours, theirs = os.openpty()

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(ours, 1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()
    before, sys.stderr = sys.stderr, os.fdopen(theirs, "w", encoding="utf-8", buffering=1)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = before


@contextlib.contextmanager
def notebook() -> Iterator[None]:
    """Have IPython be one that throws away what it is shown."""
    package: Any = types.ModuleType("IPython")
    module: Any = types.ModuleType("IPython.display")
    package.get_ipython, package.version_info = lambda: types.SimpleNamespace(kernel=object()), (9, 0, 0)
    module.display = module.update_display = lambda shown, display_id: shown._repr_png_()
    before = {name: sys.modules.get(name) for name in ("IPython", "IPython.display")}
    sys.modules.update({"IPython": package, "IPython.display": module})
    try:
        yield
    finally:
        for name, was in before.items():
            sys.modules.pop(name) if was is None else sys.modules.__setitem__(name, was)


def run(draws: int, live: bool) -> tuple[float, bytes]:
    """Return the seconds of a run, and its draws."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = nb.sample(models.MODELS["radon"](), draws, random_seed=1, live_plot=live)
    return trace.attrs["sampling_time"], trace["mu_a"].tobytes()


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.live", description="What a live view costs.")
    parser.add_argument("--repeats", type=int, default=9, help="runs of each kind (%(default)s)")
    parser.add_argument("--draws", type=int, default=4000, help="draws of each of four chains (%(default)s)")
    options = parser.parse_args()
    print(heading(f"median seconds of sampling, radon, 4 chains of {options.draws} draws, {options.repeats} pairs"))
    rows = []
    for name, place in {"terminal": terminal, "notebook": notebook}.items():
        with place():
            run(100, True)  # compiles, imports
            times = []
            for k in range(options.repeats):
                pair = {live: run(options.draws, live) for live in ((True, False) if k % 2 else (False, True))}
                assert pair[True][1] == pair[False][1]
                times.append([pair[False][0], pair[True][0]])
        without, with_view = np.median(times, axis=0)
        ratios = np.array(times)[:, 1] / np.array(times)[:, 0]
        ratio = float(np.median(ratios))
        spread = f"{ratios.min():.3f}..{ratios.max():.3f}"
        cells = [f"{without:.2f}", f"{with_view:.2f}", f"{ratio:.3f}", spread, "holds" if ratio <= BOUND else "MISSED"]
        rows.append([name, *cells])
    print(table(["", "without", "with", "ratio", "of single pairs", f"at most {BOUND}"], rows))


if __name__ == "__main__":
    main()
