"""What a model that is slow to compile costs: ``python -m bench.compiling``.

Each measurement is a process with a cache of its own, in which Numba has been imported and has compiled something: the
processor time to derive and compile a gradient, kernels of the package included, or a derived quantity. ``--beside``
has other checkouts measured by turns with this one, which must have the models under the same names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.common import heading, number, spread, table

#: What is made, by name: statements that leave what to call for it in `make`.
MADE = {
    "Gaussian process, counts": "make = posterior('gp_pois_regr')",
    "its derived quantity": "make = derived('gp_pois_regr')",
    "hidden Markov": "make = posterior('hmm_example')",
    "GARCH": "make = posterior('garch11')",
    "process of bench.autodiff, array": "make = case('process n=30, array')",
    "process of bench.autodiff, loop": "make = case('process n=30, loop')",
}

SCRIPT = """
import time, warnings
import numpy as np
import nbinfer as nb
warnings.simplefilter("ignore")

def posterior(name):
    from tests.posteriors import load
    model = load(name).model
    def make():
        bound = model.bind()
        bound.value_and_grad(np.zeros(bound.dim))
    return make

def derived(name):
    from tests.posteriors import load
    model = load(name).model
    bound = model.bind()
    bound.value_and_grad(np.zeros(bound.dim))
    return lambda: bound.record

def case(name):
    from bench.autodiff_models import cases
    one = cases()[name]
    return lambda: nb.value_and_grad(one.logp)(one.position, *one.data)

def small(x):
    return -0.5 * x[0] * x[0]

nb.value_and_grad(small)(np.zeros(2))
{what}
begin = time.process_time()
make()
print(time.process_time() - begin)
"""


def seconds(what: str, checkout: Path) -> float:
    """Return the processor time of one, in a process and a cache of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(checkout), "NBINFER_CACHE_DIR": folder}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "bench-bytecode")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT.replace("{what}", MADE[what]))
        done = subprocess.run([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout.split()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line without the program's name. Default: the process's own.
    """
    parser = argparse.ArgumentParser("python -m bench.compiling", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="processes for each (%(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="what has one of these in its name")
    parser.add_argument("--beside", nargs="*", type=Path, default=[], metavar="CHECKOUT", help="other versions")
    options = parser.parse_args(arguments)
    here = Path(__file__).parent.parent
    checkouts = [here, *(path.resolve() for path in options.beside)]
    rows = []
    for what in MADE:
        if options.only and not any(word in what for word in options.only):
            continue
        times = np.array([[seconds(what, checkout) for checkout in checkouts] for _ in range(options.repeats)])
        ratios = [number(np.median(times[:, 0] / times[:, k])) for k in range(1, len(checkouts))]
        rows.append([what, *(spread(column) for column in times.T), *ratios])
    names = [path.name for path in checkouts]
    print(heading("Compilation of what is slow to compile, processor seconds, median (least..most); ratios to others"))
    print(table(["", *names, *(f"of {name}" for name in names[1:])], rows))


if __name__ == "__main__":
    main()
