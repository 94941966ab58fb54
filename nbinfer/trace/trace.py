"""The draws of a run in memory: arrays (chain, draw, ...) by name, and the ways to look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import array as array_of
from nbinfer.arguments import flag, instance, mapping
from nbinfer.spelling import public
from nbinfer.trace.axes import checked
from nbinfer.trace.checks import adopted, counts, fitted, numbers, plain, rows_of, schema_attributes, sizes
from nbinfer.trace.groups import TraceGroup, check_fit, chosen_groups
from nbinfer.trace.merge import joined
from nbinfer.trace.metric import Metric
from nbinfer.trace.names import UnknownNameError, has, listed, unknown
from nbinfer.trace.passing import Passing
from nbinfer.trace.rows import Selection, last_in_common

if TYPE_CHECKING:
    from nbinfer.trace.disk.appended import GroupFile


@public
class Trace(Passing):
    """Draws of several chains, their statistics, and how they came about.

    Asked by name (item, attribute, ``in``), a trace gives whole arrays; asked by number, it is a sequence of
    points: the finished draws of its highest-numbered chain, which are also what ``len`` counts and iteration
    visits. `points` visits all chains.

    Parameters
    ----------
    posterior : mapping of str to ndarray, shape (chain, draw, ...)
        Draws of each variable. Arrays are adopted, not copied, here and below.
    sample_stats : mapping of str to ndarray, shape (chain, draw) or (chain, draw, sampler), optional
        Statistics of each draw.
    warmup_posterior, warmup_sample_stats : mapping of str to ndarray, optional
        The same of the warm-up.
    observed_data, constant_data : mapping of str to ndarray, optional
        Data of the model: what is observed, and what else the density knows.
    draws_done, tune_done : ndarray of int, shape (chain,), optional
        Finished rows of each chain. Rows from there on should hold `nbinfer.trace.fill_value`. Default: all.
    chain_ids : sequence of int, optional
        Number of each chain. Default: 0, 1, ...
    attrs : mapping, optional
        Attributes of the run, e.g. ``sampling_time`` (seconds) and ``seed``. Those of the ArviZ schema are added.
    interrupted : bool
        Whether the run was stopped before all chains were finished.
    dims : mapping of str to sequence of str, optional
        Names of the axes of variables, after chain and draw, and of data.
    coords : mapping of str to sequence, optional
        Labels along named axes: numbers, texts or dates.
    metric : Metric or tuple of Metric, optional
        What the chains' metrics were in the end.

    Attributes
    ----------
    posterior, sample_stats, warmup_posterior, warmup_sample_stats : dict of str to ndarray
        Draws and their statistics, named as in the ArviZ schema.
    observed_data, constant_data : dict of str to ndarray
        Data of the model.
    draws_done, tune_done : ndarray of int, shape (chain,)
        Finished draws and warm-up iterations of each chain.
    chain_ids : list of int
        Number of each chain, in the order of the arrays' first axis.
    attrs : dict
        Attributes of the run.
    interrupted : bool
        Whether the run was stopped early.
    report : Report or None
        What the diagnostics found, once somebody has looked.
    dims, coords : dict
        Names and labels of axes.
    groups : dict of str to TraceGroup
        What was computed of the draws and added by `add_group`, by its kind.
    metric : Metric, tuple of Metric, or None
        The metric that each chain ended with, see `nbinfer.trace.Metric`: of several Hamiltonian steps one each, in
        the order of the steps; None if there is no such step, or its metric is two functions.

    Examples
    --------
    >>> trace = Trace({"mu": np.arange(8.0).reshape(2, 4)}, {"diverging": np.zeros((2, 4), bool)})
    >>> trace["mu"].shape
    (2, 4)
    >>> trace["mu", 1::2]
    array([[1., 3.],
           [5., 7.]])
    >>> trace.get_values("mu", burn=2)
    array([2., 3., 6., 7.])
    >>> trace
    Trace: 2 chains × 4 draws
      mu  scalar  float64
    Statistics: diverging
    """

    report: Any

    def __init__(
        self,
        posterior: Mapping[str, ArrayLike],
        sample_stats: Mapping[str, ArrayLike] | None = None,
        *,
        warmup_posterior: Mapping[str, ArrayLike] | None = None,
        warmup_sample_stats: Mapping[str, ArrayLike] | None = None,
        observed_data: Mapping[str, ArrayLike] | None = None,
        constant_data: Mapping[str, ArrayLike] | None = None,
        draws_done: ArrayLike | None = None,
        tune_done: ArrayLike | None = None,
        chain_ids: Sequence[int] | None = None,
        attrs: Mapping[str, Any] | None = None,
        interrupted: bool = False,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, Any] | None = None,
        metric: Metric | tuple[Metric, ...] | None = None,
    ) -> None:
        self.posterior = adopted("posterior", posterior)
        self.sample_stats = adopted("sample_stats", sample_stats)
        self.warmup_posterior = adopted("warmup_posterior", warmup_posterior)
        self.warmup_sample_stats = adopted("warmup_sample_stats", warmup_sample_stats)
        self.observed_data = plain("observed_data", observed_data)
        self.constant_data = plain("constant_data", constant_data)
        drawn, warm = (self.posterior, self.sample_stats), (self.warmup_posterior, self.warmup_sample_stats)
        chains, draws, tune = sizes(drawn, warm, draws_done)
        self.draws_done = counts("draws_done", draws_done, chains, draws)
        self.tune_done = counts("tune_done", tune_done, chains, tune)
        self.chain_ids, self.interrupted = numbers(chain_ids, chains), flag("interrupted", interrupted)
        self.attrs = schema_attributes() | dict(mapping("attrs", attrs))
        self.report, self.metric = None, metric
        self.groups: dict[str, TraceGroup] = {}
        self._file: GroupFile | None = None
        data = [{name: array.shape for name, array in of.items()} for of in (self.constant_data, self.observed_data)]
        drawn_shapes = {name: array.shape[2:] for name, array in self.posterior.items()}
        self.dims, self.coords = checked(dims, coords, *data, drawn_shapes)

    def __len__(self) -> int:
        return int(self.draws_done[self._last])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._stored(name) is not None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.points(self.chain_ids[self._last])

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *filter(str.isidentifier, [*self.posterior, *self.sample_stats])]

    def __repr__(self) -> str:
        from nbinfer.trace.show import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from nbinfer.trace.show import as_html

        return as_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.posterior, *self.sample_stats]

    # Looking things up

    @overload
    def __getitem__(self, key: str | tuple[str, slice]) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, key: slice) -> Trace: ...
    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    def __getitem__(self, key: Any) -> NDArray[Any] | Trace | dict[str, Any]:
        """Return an array (by name, or name and slice), a shorter trace (by slice) or a point (by number).

        A slice takes from each chain what it would take from a list of that chain's finished draws.
        """
        if isinstance(key, str):
            return self._array(key)
        if isinstance(key, slice):
            return self._sliced(key)
        if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str) and isinstance(key[1], slice):
            return Selection(self.draws_done, key[1]).of(self._array(key[0]))
        if isinstance(key, int | np.integer):
            return self.point(int(key))
        raise TypeError(
            "a trace is indexed by a name, a name and a slice (trace['mu', 100::2]), a slice or an integer, "
            f"got {key!r}"
        )

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name.startswith("_") or "posterior" not in self.__dict__:  # also while being unpickled
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            return self._array(name)
        except UnknownNameError as error:
            raise AttributeError(str(error), name=name, obj=self) from None

    # Changing it

    def add_values(self, values: Mapping[str, ArrayLike], overwrite: bool = False) -> None:
        """Add variables to the trace; all of them or, after an error, none.

        Parameters
        ----------
        values : mapping of str to array_like
            Shaped (chain, draw, ...) like the other variables (adopted unless chains are of unequal length), or
            (finished draws of all chains, ...) in the order of `get_values`. What fits both is (chain, draw, ...).
        overwrite : bool
            Whether a variable of the same name is replaced.

        Raises
        ------
        ValueError
            If a name exists and ``overwrite`` is false, or is that of an axis, or a shape does not fit.
        """
        flag("overwrite", overwrite)
        values = mapping("values", values)
        taken = [name for name in values if name in self.posterior]
        if taken and not overwrite:
            raise ValueError(f"the trace already has {listed(taken)}; pass overwrite=True to replace it")
        draws = rows_of(self)
        whole = self.posterior | {
            name: fitted(name, array_of(f"values[{name!r}]", array), draws, self.draws_done)
            for name, array in values.items()
        }
        checked(self.dims, self.coords, {name: array.shape[2:] for name, array in whole.items()})
        self.posterior = whole

    def remove_values(self, name: str) -> None:
        """Remove a variable.

        Parameters
        ----------
        name : str
            Its name. Draws of the warm-up go, too.
        """
        if not has(self.posterior, name):
            raise UnknownNameError(unknown("variable", name, self.posterior, "name: "))
        del self.posterior[name]
        self.warmup_posterior.pop(name, None)

    def add_group(self, group: TraceGroup, overwrite: bool = False) -> None:
        """Have a group of arrays beside the draws: predictions, log likelihoods, what else was computed of them.

        Of a trace that lies in the file of a run, or comes from `nbinfer.load`, the file has it from then on, too.
        Whatever ends the process meanwhile, the file has either all of it or is as before.

        Parameters
        ----------
        group : TraceGroup
            What `nbinfer.sample_posterior_predictive` and its like return.
        overwrite : bool
            Whether a group of this kind is replaced. In a file the room of the old one is not used again;
            ``trace.save`` writes a file without it.

        Raises
        ------
        ValueError
            If there is a group of this kind and `overwrite` is false, or it is of other chains or draws.
        BackendError
            If the file is written to by a run, or the run in it is not finished, or it was damaged or moved.
        OSError
            If the file cannot be written to, or the disk has no room; nothing has changed then.
        """
        check_fit(group, self)
        if group.kind in self.groups and not flag("overwrite", overwrite):
            raise ValueError(f"the trace already has a group {group.kind!r}; pass overwrite=True to replace it")
        if self._file is not None:
            group = self._file.add(group, overwrite)
        self.groups[group.kind] = group

    def lies_in(self, file: GroupFile | None) -> None:
        """Have groups that are added go to a file, too."""
        self._file = file

    def append(self, other: Trace) -> None:
        """Continue the chains with the draws of another trace.

        Parameters
        ----------
        other : Trace
            Of the same variables. Its draws (and warm-up iterations) follow ours in chains of the same number;
            chains of new numbers are added. Arrays taken from this trace before stay as they are.

        See Also
        --------
        merge_traces : A new trace of different chains.
        """
        instance("other", other, Trace, "a Trace")
        vars(self).update(vars(joined([self, other])))

    def copy(self) -> Trace:
        """Return a trace of the same arrays to which variables can be added independently.

        Returns
        -------
        trace : Trace
            With dictionaries of its own.
        """
        twin = object.__new__(type(self))
        vars(twin).update({name: _shallow(value) for name, value in vars(self).items()})
        twin._file = None
        return twin

    __copy__ = copy

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_file": None}

    def cut(self) -> Trace:
        """Return a trace in which all chains have the length of the shortest.

        Returns
        -------
        trace : Trace
            The first draws of each chain, and the last iterations of its warm-up, as many as the shortest has. Of
            views, but for a warm-up that chains have ended at different times.
        """
        shorter = self._sliced(slice(0, int(self.draws_done.min())))
        late = last_in_common(self.tune_done)
        shorter.warmup_posterior = {name: late.of(array) for name, array in self.warmup_posterior.items()}
        shorter.warmup_sample_stats = {name: late.of(array) for name, array in self.warmup_sample_stats.items()}
        shorter.tune_done = late.done
        return shorter

    # Inside

    def _sliced(self, rows: slice) -> Trace:
        chosen = Selection(self.draws_done, rows)
        shorter = self.copy()
        shorter.posterior = {name: chosen.of(array) for name, array in self.posterior.items()}
        shorter.sample_stats = {name: chosen.of(array) for name, array in self.sample_stats.items()}
        shorter.groups = chosen_groups(self, chosen)
        shorter.draws_done = chosen.done
        shorter.report = None  # it spoke of other draws
        return shorter


#: The name under which PyMC's users know it.
MultiTrace = Trace


def _shallow(value: Any) -> Any:
    return value.copy() if isinstance(value, dict | list) else value
