"""Sample eight schools and print what came out: ``python -m nbinfer``."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence

import nbinfer as nb
from nbinfer.errors import ConvergenceWarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line without the program's name. Default: the process's own.

    Returns
    -------
    status : int
        0, or 130 if the run was interrupted.
    """
    parser = argparse.ArgumentParser("python -m nbinfer", description="Sample eight schools and print the summary.")
    parser.add_argument("--draws", type=int, default=1000, help="draws to keep per chain (%(default)s)")
    parser.add_argument(
        "--tune", type=_tune, default=None, help="warm-up iterations per chain, or auto (as sample has)"
    )
    parser.add_argument("--chains", type=int, default=4, help="independent chains (%(default)s)")
    parser.add_argument("--cores", type=int, default=None, help="chains that run at a time (all cores)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (%(default)s)")
    options = parser.parse_args(arguments)

    from nbinfer.datasets.eight_schools import model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the verdict below says the same
        trace = nb.sample(
            model,
            options.draws,
            tune=options.tune,
            chains=options.chains,
            cores=options.cores,
            random_seed=options.seed,
            target_accept=0.9,  # the posterior narrows where tau is small
        )
    print(nb.summary(trace))
    print(trace.report)
    return 130 if trace.interrupted else 0


def _tune(text: str) -> int | str:
    try:
        return text if text == "auto" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number of iterations or auto, got {text!r}.") from None


if __name__ == "__main__":
    raise SystemExit(main())
