"""The way back from xarray and ArviZ."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import path_of
from nbinfer.errors import ModelError, NbinferWarning, calls_above, unseen
from nbinfer.model.axes import labels_of
from nbinfer.spelling import public
from nbinfer.trace import about
from nbinfer.trace.arviz import DATA, DRAWN, WARM_UP, WITH_DATA, attributes_of, required
from nbinfer.trace.axes import is_count, not_by_custom
from nbinfer.trace.checks import rows_of
from nbinfer.trace.disk import notes
from nbinfer.trace.disk.layout import NOTES, SIZES, STATE
from nbinfer.trace.disk.load import counts, load
from nbinfer.trace.disk.store import TRACE
from nbinfer.trace.groups import KINDS, TraceGroup
from nbinfer.trace.names import listed
from nbinfer.trace.prior import class_of
from nbinfer.trace.rows import as_far_as, fill_value
from nbinfer.trace.trace import Trace


@public
def from_arviz(source: Any) -> Trace:
    """Make a trace of a result of ArviZ or xarray, with all groups that a trace can have.

    What `Trace.to_arviz` has made comes back as it was: arrays with their types, names and labels of axes, attributes,
    chains of unequal length, groups. Only metric and report stay behind; a file of `Trace.save` or of a run has these,
    whether it is loaded or read by xarray.

    Parameters
    ----------
    source : xarray.DataTree, xarray.Dataset, InferenceData, str or PathLike
        With a group ``posterior``, or at least ``prior``, whose variables have axes chain and draw; a dataset is that
        group. Or the name of a file of these.

    Returns
    -------
    trace : Trace
        Arrays are not copied. Draws of the posterior are numbered from 0.

    Raises
    ------
    ValueError
        If there are no draws, or arrays and labels do not fit together.
    FileNotFoundError
        If there is no such file.
    ImportError
        If xarray is missing.

    Warns
    -----
    NbinferWarning
        If something is left out: it says what.

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> trace = nb.Trace({"x": np.arange(6.0).reshape(2, 3)})
    >>> from_arviz(trace.to_arviz())["x"]
    array([[0., 1., 2.],
           [3., 4., 5.]])
    """
    if isinstance(source, str | os.PathLike):
        return _of_file(path_of("source", source))
    groups = _groups(source)
    if "posterior" not in groups and "prior" in groups:
        groups["posterior"] = groups.pop("prior")
    if "posterior" not in groups:
        raise ValueError(f"source must have a group 'posterior', got {listed(map(repr, groups))}.")
    of_groups = {name for kind in KINDS for name in (kind, kind + WITH_DATA)}
    strange = [name for name in groups if name not in {"/", STATE, *DRAWN, *WARM_UP, *DATA, *of_groups}]
    _say_left_out("groups", strange)
    parts = {name: _Part(name, dataset) for name, dataset in groups.items() if name not in ("/", STATE, *strange)}
    trace = _of_run(parts, groups.get(STATE)) or _trace(parts, groups["/"].attrs if "/" in groups else {})
    for kind in KINDS:
        if kind in parts:
            trace.add_group(parts[kind].group(parts.get(kind + WITH_DATA), parts["posterior"]))
    return trace


def _of_file(path: Path) -> Trace:
    xarray = required("from_arviz")
    if not path.exists():
        raise FileNotFoundError(f"source: there is no file {path}.")
    with xarray.open_datatree(path) as tree:
        if "nbinfer_file_version" not in tree.attrs:
            return from_arviz(tree.load())
    return load(path)


def _groups(source: Any) -> dict[str, Any]:
    """Return datasets by name; that of a tree's root is "/"."""
    if hasattr(source, "children") and hasattr(source, "to_dataset"):
        found = {name: node.to_dataset() for name, node in source.children.items()}
        return {"/": source.to_dataset(), **{name: dataset for name, dataset in found.items() if dataset.data_vars}}
    if callable(getattr(source, "groups", None)):
        return {name.strip("/"): source[name.strip("/")] for name in source.groups()}
    if hasattr(source, "data_vars"):
        return {"posterior": source}
    raise TypeError(
        "source must be an xarray.DataTree or Dataset, an InferenceData or the name of a file, got "
        f"{type(source).__name__}."
    )


class _Part:
    """A group taken apart.

    Parameters
    ----------
    name : str
    dataset : xarray.Dataset

    Attributes
    ----------
    values : dict of str to ndarray
    dims : dict of str to list of str
        Names of axes that are not those by custom.
    coords : dict of str to ndarray
        Labels that are not just numbers from 0 on.
    labels : dict of str to ndarray
        Those along chain and draw.
    attrs : dict
    """

    def __init__(self, name: str, dataset: Any) -> None:
        self.name = name
        leading = () if name.endswith("_data") else ("chain", "draw")
        self.values: dict[str, NDArray[Any]] = {}
        self.dims: dict[str, list[str]] = {}
        strange = [n for n, v in dataset.data_vars.items() if v.dtype.kind not in "biufc"]
        _say_left_out(f"variables of {name} that are no numbers", strange)
        for variable in dataset.data_vars.values():
            if variable.name not in strange:
                self._take(name, variable, leading)
        axes = {axis for of in self.dims.values() for axis in of}
        self.coords = {axis: _labels(axis, dataset.coords[axis].values) for axis in axes if axis in dataset.coords}
        self.coords = {axis: v for axis, v in self.coords.items() if not is_count(v)}
        self.labels = {axis: dataset.coords[axis].values for axis in leading if axis in dataset.coords}
        self.attrs = attributes_of(dataset.attrs)

    def _take(self, group: str, variable: Any, leading: Sequence[str]) -> None:
        missing = [axis for axis in leading if axis not in variable.dims]
        if missing:
            raise ValueError(
                f"{group}[{variable.name!r}] must have axes chain and draw, got {listed(variable.dims) or 'none'}; "
                f"dataset.expand_dims({missing[0]!r}) makes one."
            )
        ordered = variable.transpose(*leading, ...)
        name, axes = str(variable.name), [str(axis) for axis in ordered.dims[len(leading) :]]
        self.values[name] = _as_stored(ordered.values, variable.encoding)
        self.dims |= not_by_custom({name: axes})

    def numbers(self, axis: str) -> list[int] | None:
        """Return the numbers of chains or draws; None if they have no numbers."""
        labels = self.labels.get(axis)
        whole = labels is not None and labels.dtype.kind in "iu" and (labels >= 0).all()
        return labels.tolist() if labels is not None and whole else None

    def group(self, data: _Part | None, posterior: _Part) -> TraceGroup:
        """Return it as a group; its draws are numbered as those of the posterior are here, from 0."""
        draws, ours = self.numbers("draw"), posterior.numbers("draw")
        if draws is not None and ours is not None and set(draws) <= set(ours):
            place = {label: k for k, label in enumerate(ours)}
            draws = [place[label] for label in draws]
        return TraceGroup(
            self.name, self.values, chain_ids=self.numbers("chain"), draw_ids=draws, attrs=self.attrs,
            dims=self.dims | (data.dims if data else {}), coords=self.coords | (data.coords if data else {}),
            data=data.values if data else None,
        )  # fmt: skip


def _of_run(parts: Mapping[str, _Part], state: Any) -> Trace | None:
    """Return the trace of a file of ours that xarray has read, unless somebody has taken some of it since."""
    if state is None or NOTES not in state.data_vars:
        return None
    known = about.from_text(notes.read(np.ascontiguousarray(state[NOTES].values), Path("source"))[TRACE])
    sizes = {name: int(state.attrs[name]) for name in SIZES}
    if any(
        a.shape[:2] != (sizes["chains"], sizes["draws"] // sizes["thin"]) for a in parts["posterior"].values.values()
    ):
        return None
    tune_done, draws_done = counts(sizes, state["progress"].values if "progress" in state.data_vars else None, known)
    arrays: dict[str, Any] = {name: parts[name].values for name in DATA if name in parts}
    for name in (*DRAWN, *WARM_UP):
        done = tune_done if name in WARM_UP else draws_done
        arrays[name] = {n: as_far_as(a.copy(), done) for n, a in parts[name].values.items()} if name in parts else {}
    trace = class_of(known["attrs"])(**arrays, draws_done=draws_done, tune_done=tune_done, **about.arguments_of(known))
    trace.report = about.report_of(known, trace)
    return trace


def _trace(parts: Mapping[str, _Part], of_all: Mapping[str, Any]) -> Trace:
    attrs = parts["posterior"].attrs | attributes_of(of_all)
    done, interrupted = attrs.pop("draws_done", None), bool(attrs.pop("interrupted", False))
    known = [parts[name] for name in (*DRAWN, *WARM_UP, *DATA) if name in parts]
    arrays: dict[str, Any] = {name: parts[name].values for name in (*DRAWN, *WARM_UP, *DATA) if name in parts}
    trace = class_of(attrs)(
        **arrays,
        chain_ids=parts["posterior"].numbers("chain"),
        dims={name: axes for part in reversed(known) for name, axes in part.dims.items()},
        coords={axis: labels for part in reversed(known) for axis, labels in part.coords.items()},
        attrs=attrs,
        interrupted=interrupted,
    )  # fmt: skip
    if done is not None and len(done) == trace.nchains and max(done) == rows_of(trace):
        trace.draws_done = np.array(done, np.int64)
    return trace


def _as_stored(array: NDArray[Any], encoding: Mapping[str, Any]) -> NDArray[Any]:
    """Return an array of the type in its file: of integers with a value for what is unfinished xarray makes floats."""
    kind = np.dtype(encoding.get("dtype", array.dtype))
    if array.dtype.kind != "f" or kind.kind not in "iu":
        return array
    there = np.isfinite(array)
    whole = np.full(array.shape, fill_value(kind), kind)
    whole[there] = array[there]
    return whole


def _labels(axis: str, labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels; numbers instead of those that a trace cannot have."""
    try:
        return labels_of(axis, labels)
    except ModelError:
        _say_left_out("labels that are no numbers, texts or dates", [axis])
        return np.arange(len(labels))


def _say_left_out(what: str, names: Sequence[str]) -> None:
    if names:
        with unseen():
            warnings.warn(f"from_arviz has left out {what}: {listed(names)}.", NbinferWarning, calls_above())
