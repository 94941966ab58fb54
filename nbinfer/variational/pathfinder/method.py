"""`Pathfinder`: from a model to a mixture of normal distributions, by several searches for the maximum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from nbinfer.arguments import Progressbar, count, flag, from_zero, mapping, shows
from nbinfer.engine.driver import cores_for
from nbinfer.engine.gradients import gradient_warnings
from nbinfer.engine.progress import display_for
from nbinfer.engine.starts import Start
from nbinfer.engine.task import finished
from nbinfer.engine.team import work
from nbinfer.errors import AEVBInferenceError, FitError
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.random import key_of, seed_sequences
from nbinfer.spelling import public, public_by_kind
from nbinfer.variational.callbacks import listed
from nbinfer.variational.inference import Inference
from nbinfer.variational.local import refuse_subsampled
from nbinfer.variational.objective import check_function_options
from nbinfer.variational.operators import KL
from nbinfer.variational.pathfinder.path import advance
from nbinfer.variational.pathfinder.paths import Paths, Spread, starts_of
from nbinfer.variational.pathfinder.search import PathMixture, Search, Settings, all_failed
from nbinfer.variational.starts import first_moments

#: Iterations of a path at most.
_MOST = 2**24

#: Options of `Inference.fit` for fits that take long.
_OF_LONG_FITS = ("checkpoint", "executor", "max_seconds", "live_plot", "live_plot_kwargs")


@public
class Pathfinder(Inference):
    """Fit normal distributions along the ways of several searches for the maximum, and mix the best of each [1]_.

    Each path is an L-BFGS search. At each of its iterates the last steps say how the density is curved, and thereby a
    normal distribution; a few draws estimate its evidence lower bound; the distribution with the largest is kept. The
    approximation is the mixture of those of all paths, weighed by how much of the posterior each stands for. It takes
    some dozens of gradients per path, and costs little more with many coordinates.

    Parameters
    ----------
    local_rv : mapping, optional
        None: paths know no local parameters.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same fit, bit for bit, on however many cores.
    start : mapping of str to array_like, optional
        Constrained values around which paths begin. Default, if there is no `start_sigma` either: as chains of `sample`
        do, up to 1 from the initial point in each unconstrained coordinate, elsewhere if there is no density.
    start_sigma : float or mapping of str to array_like, optional
        Standard deviations, on the unconstrained scale, of the normal numbers by which paths begin apart. Default 0.1.
    n_paths : int
        Searches. With one, the approximation is a normal distribution.
    n_draws : int
        Draws of each path's distribution, by which the mixture is weighed.
    elbo_draws : int
        Draws by which each iterate is judged.
    maxcor : int
        Steps that a search remembers; a distribution has twice as many directions at most.
    tolerance : float
        An iteration that gains no more in the log density, in nats, or could not, is the last of its path.
    cores : int, optional
        Paths that run at the same time. Default: as many as there are cores.

    Raises
    ------
    ValueError, TypeError
        If an option makes no sense.
    ParametrizationError
        If a parameter is discrete.

    Notes
    -----
    ``approx.sample(draws)`` draws from the mixture, with its density in ``logq``; ``sample(draws, importance=True)``
    chooses draws by smoothed importance weights, as multi-path Pathfinder of [1]_ does. ``approx.hist`` is minus the
    estimated evidence lower bound at each iterate of the best path.

    References
    ----------
    .. [1] L. Zhang, B. Carpenter, A. Gelman and A. Vehtari, "Pathfinder: parallel quasi-Newton variational inference",
       JMLR 23 (2022).

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x[0] ** 2 - 2.0 * (p.x[1] - p.x[0]) ** 2)
    >>> approx = nb.Pathfinder(model=model, random_seed=1).fit(progressbar=False)
    >>> approx.cov.round(2)
    array([[1.  , 1.  ],
           [1.  , 1.25]])
    """

    approx: PathMixture

    @public_by_kind(model=is_model)
    def __init__(
        self,
        local_rv: Any = None,
        model: Model | None = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: float | Mapping[str, Any] | None = None,
        *,
        n_paths: int = 4,
        n_draws: int = 250,
        elbo_draws: int = 10,
        maxcor: int = 10,
        tolerance: float = 1e-9,
        cores: int | None = None,
    ) -> None:
        counts = {"n_paths": (n_paths, 2**20), "n_draws": (n_draws, 2**31), "elbo_draws": (elbo_draws, 2**31)}
        counts["maxcor"] = (maxcor, 2**20)
        for name, (value, most) in counts.items():
            count(name, value, 1, most)
        from_zero("tolerance", tolerance)
        if mapping("local_rv", local_rv):
            raise AEVBInferenceError("local_rv: paths know no local parameters; take nb.ADVI or another fit of KL.")
        model = the_model(model)
        self._sequence = seed_sequences(random_seed, 1)[0]
        rank = max(1, min(2 * maxcor, model.dim))
        approx = PathMixture(local_rv, model, self._sequence, start, start_sigma, paths=n_paths, rank=rank)
        refuse_subsampled(approx.groups, model)
        super().__init__(KL, approx)
        self._score = True  # whether `hist` is kept, as `begin` has it
        given = start is not None or start_sigma is not None
        self._spread = Spread(*first_moments(model, start, start_sigma)) if given else None
        self._n_paths, self._n_draws, self._elbo_draws = n_paths, n_draws, elbo_draws
        self._maxcor, self._tolerance, self._cores = maxcor, float(tolerance), cores_for(cores)

    def fit(
        self,
        n: int = 1000,
        score: bool | None = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        progressbar: Progressbar = True,
        *,
        fn_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> PathMixture:
        """Find the approximation.

        Parameters
        ----------
        n : int
            Iterations of each path at most; with 0 the approximation stays where it starts.
        score : bool, optional
            Whether ``approx.hist`` is kept. Default: it is.
        callbacks : sequence of callable, optional
            None: there is no approximation to look at before the end.
        progressbar : bool or callable
            Show iterations and the best evidence lower bound of each path; or a function that is told of them, as of
            `nbinfer.sample`.
        fn_kwargs : mapping, optional
            As in `Inference.fit`.
        **kwargs : object
            None.

        Returns
        -------
        approx : PathMixture
            With ``hist``, ``khat`` and ``report``.

        Raises
        ------
        FitError
            If no path finds anything; with the reason of each.
        TypeError
            If there are callbacks, or options of other methods.

        Warns
        -----
        ConvergenceWarning
            If k-hat is above 0.7, a path is dropped, or one came to its last iteration.

        Notes
        -----
        Ctrl-C ends the paths and returns what they have found so far. What a function of the model raises arrives here.
        """
        check_function_options(fn_kwargs)
        self.begin(score, callbacks, **kwargs)
        return self.run(n, progressbar)

    def begin(
        self, score: bool | None = None, callbacks: Sequence[Callable[..., Any]] | None = None, **kwargs: Any
    ) -> None:
        """Say whether ``approx.hist`` is kept.

        Parameters
        ----------
        score : bool, optional
            As in `fit`.
        callbacks : sequence of callable, optional
            None.
        **kwargs : object
            None.
        """
        self._score = True if score is None else flag("score", score)
        if listed(callbacks):
            raise TypeError("callbacks look at an approximation on its way, and pathfinder has one at the end only.")
        of_long_fits = [name for name in kwargs if name in _OF_LONG_FITS]
        if of_long_fits:
            raise TypeError(
                f"pathfinder takes no {of_long_fits[0]}: its paths take seconds, and with the same random_seed "
                "they are the same; leave it out, or begin again."
            )
        if kwargs:
            raise TypeError(
                f"pathfinder has no {next(iter(kwargs))}, for it has no optimiser to set; its options are n_paths, "
                "n_draws, elbo_draws, maxcor, tolerance and cores: nb.Pathfinder(n_paths=8), or inf_kwargs of nb.fit."
            )

    def run(self, n: int, progressbar: Progressbar = True, judged: bool = True) -> PathMixture:
        """Find the approximation.

        Parameters
        ----------
        n : int
            As in `fit`.
        progressbar : bool or callable
            As in `fit`.
        judged : bool
            Whether to find k-hat afterwards, and to warn.

        Returns
        -------
        approx : PathMixture
        """
        count("n", n, 0, _MOST)
        shows("progressbar", progressbar)
        model = self.approx.model
        if n == 0:
            return self.approx
        key, bound = key_of(self._sequence), model.bind(self._n_paths)
        starts = starts_of(bound, model, key, self._n_paths, self._spread)
        good = next((start for start in starts if isinstance(start, Start)), None)
        if good is None:
            raise FitError(all_failed(dict(enumerate(map(str, starts)))))
        bound.check_gradient(good.position)
        paths = Paths(bound, starts, key, n, self._maxcor, self._elbo_draws, self._tolerance)
        advance.load()  # not in a thread: a compilation there would hide from Ctrl-C
        work.load()
        display = display_for(progressbar, [f"path {number}" for number in paths.every.number], n, "it", _described)
        cores = 1 if bound.serial else self._cores
        settings = Settings(n, cores, self._n_draws, key, self._score, judged)
        task = Search(self.approx, paths, settings, display)
        for message, category in gradient_warnings(bound):
            task.say(message, category)
        return finished(task)

    def refine(self, n: int, progressbar: Progressbar = True) -> NoReturn:
        """Raise TypeError: paths end by themselves.

        Parameters
        ----------
        n : int
            Not used.
        progressbar : bool or callable
            Not used.
        """
        raise TypeError("pathfinder has nothing to refine: paths end where they end; fit again with another seed.")

    def run_profiling(self, n: int = 1000, score: bool | None = None, **kwargs: Any) -> NoReturn:
        """Raise TypeError: the report counts gradients and densities.

        Parameters
        ----------
        n : int
            Not used.
        score : bool, optional
            Not used.
        **kwargs : object
            Not used.
        """
        raise TypeError("pathfinder has no iterations that take equally long; approx.report counts its gradients.")


def _described(line: Any) -> str:
    """Say in a few words where a path is."""
    elbo = float(line["best_elbo"])
    bound = f"evidence lower bound {elbo:.5g}, " if np.isfinite(elbo) else ""
    return f"{bound}{int(line['gradients'])} gradients"
