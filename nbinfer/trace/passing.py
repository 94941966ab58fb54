"""What a trace is passed on as: tables, objects of other packages, files, steps that go on with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import Progressbar
from nbinfer.spelling import public
from nbinfer.trace.reading import Reader
from nbinfer.trace.rows import Counts

if TYPE_CHECKING:
    from nbinfer.diagnostics import Summary
    from nbinfer.model import Model
    from nbinfer.trace.trace import Trace

#: What makes steps of a trace. It knows steps, which know traces: it comes here by itself.
SETTLED: list[Callable[[Any, int | None, dict[str, Any]], Any]] = []

#: What evaluates functions at the draws of a trace. It runs as chains do, and comes here, too.
COMPUTED: list[Callable[..., None]] = []


@public
class Passing(Reader):
    """The part of a trace that makes something else of it."""

    warmup_sample_stats: dict[str, NDArray[Any]]
    tune_done: Counts

    # Going on

    @property
    def step_size(self) -> NDArray[np.float64]:
        """Step size that each chain has settled at, shape (chain,) or (chain, step); of Hamiltonian steps.

        Raises
        ------
        ValueError
            If there is no such step, or no iteration.
        """
        sizes = []
        for row, (draws, tune) in enumerate(zip(self.draws_done, self.tune_done, strict=True)):
            group, done = (self.sample_stats, draws) if draws else (self.warmup_sample_stats, tune)
            if "step_size_bar" not in group or not done:
                raise ValueError("the trace has no step sizes: it has no draws of NUTS or HamiltonianMC.")
            sizes.append(group["step_size_bar"][row, done - 1])
        return np.array(sizes)

    def settled_step(self, chain: int | None = None, **options: Any) -> Any:
        """Return the Hamiltonian step with the metric and the step size that warm-up has found.

        With it a run needs no warm-up: ``nb.sample(model, tune=0, step=trace.settled_step(), start=points)``, from
        points that are draws of this trace.

        Parameters
        ----------
        chain : int, optional
            Number of the chain whose metric and step size are taken. Default: of which the step size is in the middle.
        **options
            Settings of the step, in place of those of this run; `NUTS` has them.

        Returns
        -------
        step : NUTS or HamiltonianMC, or list
            Of several Hamiltonian steps one each. Steps of other kinds are left out: they are chosen anew.

        Raises
        ------
        ValueError
            If the run had no Hamiltonian step, or one whose metric is two functions.

        Examples
        --------
        >>> import nbinfer as nb
        >>> model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * (p.x[0] ** 2 + p.x[1] ** 2))
        >>> trace = nb.sample(model, 200, random_seed=1)
        >>> start = [trace.point(-1, chain) for chain in trace.chain_ids]
        >>> more = nb.sample(model, 200, tune=0, step=trace.settled_step(), start=start, random_seed=2)
        >>> more["x"].shape
        (4, 200, 2)
        """
        return SETTLED[0](self, chain, options)

    def compute(
        self,
        model: Model,
        functions: Mapping[str, Callable[..., Any]] | str | Sequence[str] | None = None,
        *,
        overwrite: bool = False,
        dims: Mapping[str, Sequence[str]] | None = None,
        random_seed: Any = None,
        cores: int | None = None,
        progressbar: Progressbar = True,
    ) -> None:
        """Evaluate functions at every draw and add what comes of it to the variables.

        Functions are compiled and run on all cores. A derived quantity that a run has not stored is the same here, bit
        for bit.

        Parameters
        ----------
        model : Model
            That of the trace; what is computed with its data are those that it has now.
        functions : mapping of str to callable, str or sequence of str, optional
            By name ``f(p, d)``, which returns a number or an array of one shape; or names of the model's derived
            quantities. Default: all of these that the trace lacks. Functions may take a generator, ``f(p, d, rng)``.
        overwrite : bool
            Whether variables of the same names are replaced; never those of parameters.
        dims : mapping of str to sequence of str, optional
            Names of the new variables' axes, as of `Model`. Labels are those of the trace and the model.
        random_seed : None, int, SeedSequence or Generator
            For functions that take a generator.
        cores : int, optional
            Threads at most. Default: as many as there are cores. No result depends on it.
        progressbar : bool or callable
            Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.

        Raises
        ------
        ValueError, ModelError
            If a name is taken or unknown, the trace is of another model, or shapes do not fit; nothing is added then.
        Exception
            What a function raises, with a note at which draw.

        See Also
        --------
        Trace.add_values : Arrays that are there already.

        Examples
        --------
        >>> import nbinfer as nb
        >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
        >>> trace = nb.sample(model, 500, random_seed=1)
        >>> trace.compute(model, {"square": lambda p, d: p.x**2})
        >>> bool((trace["square"] == trace["x"] ** 2).all())
        True
        """
        COMPUTED[0](self, model, functions, overwrite, dims, random_seed, cores, progressbar)

    # Passing it on

    def summary(self, *args: Any, **kwargs: Any) -> Summary:
        """Summarise the draws; see `nbinfer.summary`.

        Parameters
        ----------
        *args, **kwargs
            Passed on.

        Returns
        -------
        summary : Summary
            Moments, intervals, effective sample sizes and R-hat of every variable.
        """
        from nbinfer.diagnostics import summary

        return summary(self, *args, **kwargs)

    def to_arviz(self) -> Any:
        """Convert to what ArviZ works with, 0.8 and 1.x; needs xarray, ``pip install nbinfer[arviz]``.

        Returns
        -------
        tree : xarray.DataTree
            All groups of this trace, without copying, as far as any chain has come: draws and statistics, those of
            warm-up, data, and what `add_group` has added. Chains of unequal length end in `nbinfer.trace.fill_value`,
            which for integers and booleans looks like a draw: convert ``trace.cut()`` unless you know what to do with
            them. Of a warm-up that chains have ended at different times there are the last iterations of each, as many
            as the shortest has.

        See Also
        --------
        nbinfer.from_arviz : The way back.
        """
        from nbinfer.trace.arviz import to_arviz

        return to_arviz(cast("Trace", self))

    def to_xarray(self, group: str = "posterior") -> Any:
        """Return one group as a dataset of xarray; needs ``pip install nbinfer[arviz]``.

        Parameters
        ----------
        group : str
            The draws, or any other that `to_arviz` would give: "sample_stats", "observed_data",
            "posterior_predictive", ...

        Returns
        -------
        dataset : xarray.Dataset
            Variables with axes chain and draw, and those that the model's ``dims`` name, with labels along them.
            Arrays are not copied.

        Raises
        ------
        ValueError
            If there is no such group.

        Examples
        --------
        >>> from nbinfer import Trace
        >>> trace = Trace({"x": np.zeros((2, 5, 3))}, dims={"x": ["place"]}, coords={"place": ["a", "b", "c"]})
        >>> trace.to_xarray()["x"].sel(place="b").shape
        (2, 5)
        """
        from nbinfer.trace.arviz import to_xarray

        return to_xarray(cast("Trace", self), group)

    def to_dataframe(self, var_names: str | Sequence[str] | None = None, statistics: bool = False) -> Any:
        """Return the finished draws as a table of pandas, one row each; needs ``pip install nbinfer[arviz]``.

        Parameters
        ----------
        var_names : str or sequence of str, optional
            Variables to take; or, ``"~mu"``, those to leave out. Default: all.
        statistics : bool
            Whether statistics of the draws follow.

        Returns
        -------
        table : pandas.DataFrame
            Columns ``chain`` and ``draw``, and one for each entry of each variable, named as in `summary`: ``mu``,
            ``theta[Choate]``, without labels ``theta[0]``. Types are those of the variables.

        Raises
        ------
        ValueError
            If a name is unknown, or two columns would have the same.

        Examples
        --------
        >>> from nbinfer import Trace
        >>> draws = {"mu": np.zeros((1, 2)), "x": np.ones((1, 2, 2))}
        >>> trace = Trace(draws, dims={"x": ["side"]}, coords={"side": ["l", "r"]})
        >>> trace.to_dataframe()
           chain  draw   mu  x[l]  x[r]
        0      0     0  0.0   1.0   1.0
        1      0     1  0.0   1.0   1.0
        """
        from nbinfer.trace.tables import to_dataframe

        return to_dataframe(cast("Trace", self), var_names, statistics)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the trace to a file that `nbinfer.load`, xarray and ArviZ open.

        Parameters
        ----------
        path : str or PathLike
            Name of the file, by custom ending in ``.nc``; it is HDF5 whatever its name, and nothing is added to that.
        overwrite : bool
            Whether a file of that name is replaced, once the new one is whole.

        Raises
        ------
        FileExistsError, FileNotFoundError, PermissionError
            If the file exists, or its folder does not or cannot be written to.
        OSError
            If the disk has no room; nothing is left behind.
        ValueError, TypeError
            If a name or a type has no place in a netCDF file.

        Notes
        -----
        Rows beyond the finished ones are left out. Attributes that are no text, numbers or lists of these are kept as
        what ``str`` makes of them.
        """
        from nbinfer.trace.disk.save import save

        save(cast("Trace", self), path, overwrite)
