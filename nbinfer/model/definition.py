"""What a model is, once and for all: from it come facts, code and bounds.

There are three other kinds beside the named parameters of `NamedDefinition`: functions of a flat position, C functions
and Python callables, see `nbinfer.model.foreign`.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nbinfer.autodiff.entries import check_entries
from nbinfer.compile import JIT, readonly
from nbinfer.compile.files import file_digest
from nbinfer.compile.forks import cached_property
from nbinfer.compile.keys import sources
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.store import Place
from nbinfer.errors import ModelError
from nbinfer.model.at_points import AtPoints
from nbinfer.model.axes import Axes
from nbinfer.model.bound import Bound
from nbinfer.model.code.kinds import with_kinds
from nbinfer.model.compiled import CompiledBound
from nbinfer.model.data import Datum, content_key
from nbinfer.model.evaluate import Facts, check_shapes, is_numerical, retrying
from nbinfer.model.gaps import axes, blamed, check_scales
from nbinfer.model.layout import Layout
from nbinfer.model.missing import index_of
from nbinfer.model.points import Points
from nbinfer.model.support.bounds import BoundsError, called
from nbinfer.model.support.support import Support
from nbinfer.model.total_size import Total, factor

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated
    from nbinfer.model.code.plan import Plan
    from nbinfer.model.code.stand_ins import Called
    from nbinfer.streaming import Feed


#: How messages call functions that draw, on which no density and no draw of a run depends.
DRAWING = ("predict ", "prior_draw ")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Definition(Points):
    """Parameters, data and a density over them; none of it changes.

    Attributes
    ----------
    name : str or None
        For messages.
    layout : Layout
        Parameters.
    data : mapping of str to Datum
        Data.
    prior : callable, mapping of str to callable, or None
        Log prior density, in one function or in named terms.
    logp_function, logp_grad, grad : callable or None
        Functions of the density, as `Model` describes them.
    likelihood, derived, predict, prior_draw, conditional : mapping of str to callable
        As well.
    total_size : mapping of str to float or tuple
        For likelihood terms over a sample of the data, the number of observations they stand for.
    allow_nan : tuple of str
        Data entries that may hold NaN.
    learnt : tuple of str
        Data entries by which the density is differentiated, too.
    imputed : mapping of str to Support
        Of one missing value, by data entry: those that may have gaps, see `nbinfer.model.missing`.
    axes : Axes
        Names of axes, and labels along them.
    """

    name: str | None
    layout: Layout
    data: Mapping[str, Datum] = field(default_factory=dict)
    prior: Any = None
    logp_function: Any = None
    logp_grad: Any = None
    grad: Any = None
    likelihood: Mapping[str, Any] = field(default_factory=dict)
    derived: Mapping[str, Any] = field(default_factory=dict)
    predict: Mapping[str, Any] = field(default_factory=dict)
    prior_draw: Mapping[str, Any] = field(default_factory=dict)
    conditional: Mapping[str, Any] = field(default_factory=dict)
    total_size: Mapping[str, Total] = field(default_factory=dict)
    allow_nan: tuple[str, ...] = ()
    learnt: tuple[str, ...] = ()
    imputed: Mapping[str, Support] = field(default_factory=dict)
    axes: Axes = field(default_factory=Axes)

    #: Whether functions see parameters and data by name.
    is_named: ClassVar[bool] = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: not what holds classes of named tuples, which is made anew."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def title(self) -> str:
        """How messages call the model."""
        return f"model {self.name!r}" if self.name else "the model"

    @property
    def has_terms(self) -> bool:
        """Whether the density itself was given, and not only a function with its gradient."""
        return bool(self.weighed)

    @property
    def named_prior(self) -> Mapping[str, Any]:
        """Terms of the log prior by name; none, where it is one function."""
        return self.prior if isinstance(self.prior, Mapping) else {}

    @property
    def terms(self) -> dict[str, Any]:
        """Functions by name that may return an array, whose sum counts: terms of prior and likelihood."""
        return {**self.named_prior, **self.likelihood}

    @property
    def weighed(self) -> dict[str, Any]:
        """Functions of the density by name, in the order of their weights."""
        single = {"logp": self.logp_function, "prior": None if self.named_prior else self.prior}
        return {name: f for name, f in single.items() if f is not None} | self.terms

    @property
    def named_axes(self) -> Axes:
        """Names of axes and labels along them, those of missing values among them."""
        return axes(self)

    @property
    def names_of_arrays(self) -> list[str]:
        """Names of all that may have axes."""
        return list({**self.parameters, **self.data, **self.derived, **self.predict, **self.terms})

    def called_piece(self, name: str) -> str:
        """Return how messages call a piece of the density."""
        if name in self.likelihood:
            return called_term(name)
        return f"prior {name!r}" if name in self.named_prior else name

    @property
    def written(self) -> str:
        """The argument through which the user gave the gradient: "logp_grad" or "grad"; '' if there is none."""
        return "logp_grad" if self.logp_grad is not None else "grad" if self.grad is not None else ""

    @property
    def written_name(self) -> str:
        """What generated code calls that function; an argument there is called `grad`."""
        return "gradient" if self.written == "grad" else self.written

    @property
    def is_written(self) -> bool:
        """Whether the user wrote the gradient."""
        return bool(self.written)

    @property
    def labelled(self) -> list[tuple[str, Any]]:
        """Functions that are arguments of the model, with how messages call them."""
        single = [("prior", None if self.named_prior else self.prior), ("logp", self.logp_function)]
        single += [("logp_grad", self.logp_grad), ("grad", self.grad)]
        result = [(label, f) for label, f in single if f is not None]
        result += [(self.called_piece(name), f) for name, f in self.terms.items()]
        result += [(f"derived {name!r}", f) for name, f in self.derived.items()]
        result += [(f"predict {name!r}", f) for name, f in self.predict.items()]
        return result + [(f"prior_draw {name!r}", f) for name, f in self.prior_draw.items()]

    @property
    def functions(self) -> list[tuple[str, Any]]:
        """Every function of the user's, bounds among them, with how messages call it."""
        bounds = [(called(a, p.name), f) for p in self.layout.dependent for a, f in p.functions.items()]
        return bounds + self.labelled

    @property
    def other_parts(self) -> dict[str, str]:
        """What functions get beside parameters and data, by name, as `nbinfer.model.fingerprint` has it."""
        return {}

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """What a person is shown, in three columns."""
        rows = [(p.name, str(p.support), f"shape {p.shape}") for p in self.parameters.values()]
        rows += [(name, "data", repr(datum)) for name, datum in self.data.items()]
        return rows + [(label, "function", getattr(python_function(f), "__name__", "?")) for label, f in self.labelled]

    @property
    def missing(self) -> dict[str, np.ndarray]:
        """Of data entries with gaps, where these are, counted through all axes."""
        indices = {name: index_of(name) for name in self.imputed}
        return {name: self.data[index].array for name, index in indices.items() if index in self.data}

    @property
    def active(self) -> tuple[str, ...]:
        """Data entries that vary: those that are learnt, then those with gaps."""
        return (*self.learnt, *self.missing)

    @property
    def steady(self) -> tuple[int, ...]:
        """Positions of arguments of the functions that are the same at all points: that of the data, without gaps."""
        return () if self.missing else (1,)

    @property
    def feeds(self) -> dict[str, Feed]:
        """Data that come in batches, by name."""
        return {name: datum.feed for name, datum in self.data.items() if datum.feed is not None}

    def check_sizes(self) -> None:
        """Raise ModelError if a total size is too small, or of what is imputed; or axes fit no parameters and data."""
        check_scales(self)
        whole = {name: d.array.shape if d.feed is None else d.shape_of_all for name, d in self.data.items()}
        shapes = {name: p.shape for name, p in self.parameters.items()} | whole
        self.axes.check(shapes)
        self.named_axes.check(shapes)  # those of gaps need the others right
        for name, total in self.total_size.items():
            if name in self.named_prior and name in self.parameters:
                factor(name, total, self.parameters[name].shape)
                continue
            datum = self.data.get(name)
            if datum is not None and datum.array.ndim:
                factor(name, total, datum.shape_of_all or datum.array.shape)

    def weights(self, facts: Facts | None = None) -> np.ndarray:
        """Return the weight of the prior (or the whole density) and of each likelihood term."""
        return np.ones(1)

    def check_differentiable(self, label: str, names: Collection[str]) -> None:
        """Raise an error if the density cannot be differentiated by entries of the data.

        Parameters
        ----------
        label : str
            Of the argument that names them, for messages.
        names : collection of str

        Raises
        ------
        ValueError, TypeError
            If an entry is not there, holds no floats, or comes in batches; or the density is not in named functions.
        """
        if not names:
            return
        check_entries(label, list(names), {n: d.array for n, d in self.data.items()}, self.title)
        for name in names:
            feed = self.data[name].feed
            if feed is not None:
                raise ModelError(
                    f"{label} names {name!r}, which is {feed.describe()['what']}: it comes in batches, another array "
                    "in each. Name an entry that stands still."
                )
        if not self.is_named or not self.has_terms:
            what = self.written if self.is_named else "one function of a flat position"
            raise ModelError(
                f"{label} needs the density of {self.title} in functions of p and d that can be differentiated, and "
                f"it has {what}; pass logp, or prior and likelihood."
            )

    def needs_all_data(self) -> None:
        """Raise ModelError if data come in batches: only a fit takes these."""
        if self.feeds:
            names = ", ".join(f"{name!r}" for name in self.feeds)
            remedy = ", ".join(f"{name}={name}{feed.describe()['remedy']}" for name, feed in self.feeds.items())
            raise ModelError(
                f"{self.title} has data that come in batches, {names}: only fits by stochastic gradients (nb.fit) take "
                f"these. What samples or searches needs all data; pass what is behind them, model.set_data({remedy})"
            )

    @cached_property
    def data_tuple(self) -> Any:
        """Data as the functions see them."""
        values = {name: datum.value for name, datum in self.data.items()}
        return readonly(collections.namedtuple("Data", tuple(values))(**values))

    # ---- plain Python

    def arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what the functions get at constrained values."""
        raise NotImplementedError

    def pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Evaluate prior and likelihood, or what there is instead, by name."""
        raise NotImplementedError

    def density_of(self, values: Mapping[str, Any]) -> float:
        return float(sum(np.sum(value) for _, value in self.pieces(values)))

    def evaluate(self, q: Any, discrete: np.ndarray | None = None) -> float:
        """Evaluate every function at a position; -inf where bounds leave nothing between them."""
        return self.logp_unconstrained(q, discrete)

    def explain(self, q: Any, discrete: np.ndarray | None = None) -> str:
        """Name the first piece of the density that is not finite at a position; '' if all are."""
        try:
            values, log_jacobian = self.layout.image(q, self.data_tuple, discrete)
        except BoundsError as error:
            return str(error)
        for name, value in values.items():
            if not np.all(np.isfinite(value)):
                return f"parameter {name!r} is {np.ravel(value)[~np.isfinite(np.ravel(value))][0]}"
        if not np.isfinite(log_jacobian):
            return f"the log Jacobian of the transforms is {log_jacobian}"
        try:
            pieces = self.pieces(values)
        except Exception as error:
            if not is_numerical(error):
                raise
            return f"the density raises {type(error).__name__}: {error}"
        for label, value in pieces:
            bad = ~np.isfinite(np.asarray(value, np.float64))
            if bad.any():
                index = f" at index {tuple(int(i) for i in np.argwhere(bad)[0])}" if bad.ndim else ""
                what = f"the {self.called_piece(label)}" if label in self.terms else label
                return f"{what} is {np.asarray(value)[bad][0]}{index}{blamed(self, bad)}"
        return ""

    # ---- memory and machine code

    def bind(self, chains: int, weighted: bool = False) -> Bound:
        """Give it memory for a number of chains, and machine code, which is made when first asked for."""
        raise NotImplementedError


class CompiledDefinition(Definition):
    """A density in Python functions that are compiled."""

    def logp(self, point: Mapping[str, Any]) -> float:
        found = self._at_points(point)
        return super().logp(point) if found is None else found

    def density_at(self, values: Mapping[str, Any]) -> float:
        found = self._at_points(values)
        return self.density_of(values) if found is None else found

    @cached_property
    def _at_points(self) -> AtPoints:
        return AtPoints(self)

    def observe(self, q: np.ndarray) -> Facts:
        """Run the functions once in plain Python at a position, and check what they return."""
        raise NotImplementedError

    def content(self, written: bool) -> str:
        """Hash what code is made of, with the gradient that the user wrote or without."""
        raise NotImplementedError

    def derive(self, written: bool, weighted: bool = False) -> list[Generated]:
        """Derive what code needs: the gradient unless it is written, and the pullbacks of bounds that are functions.

        Where it is `weighted`, somebody may change weights, to 0 as well.
        """
        raise NotImplementedError

    def derive_value(self) -> Generated:
        """Generate the density alone, for functions that Numba does not compile as they are."""
        raise NotImplementedError

    def calls(self, kind: str) -> list[Called]:
        """Return functions that a module calls and that may be generated: bounds, and those of a kind.

        That is "density", "derived", or "" for none.
        """
        raise NotImplementedError

    def plan(self, facts: Facts, written: bool) -> Plan:
        """Tell what goes into a module."""
        raise NotImplementedError

    def names(self, written: bool) -> dict[str, Any]:
        """Return what a generated module finds among its globals."""
        raise NotImplementedError

    def facts(self) -> Facts:
        """Return what one run of the functions shows, which is kept beside the machine code."""
        content = file_digest(self.content(self.is_written), sources("nbinfer.model"), str(self.layout.shapes))
        place = Place("facts", f"{content}-{content_key(self.data.values())}.json")
        known = place.read_json() if JIT else None
        if known is not None:
            return Facts.from_json(known)
        facts = retrying(self.observe, self.dim)
        if JIT:
            place.write_json(facts.as_json())
        return facts  # type: ignore[no-any-return]

    def bind(self, chains: int, weighted: bool = False) -> Bound:
        self.needs_all_data()
        facts = with_kinds(self, self.facts())
        self.named_axes.check({name: shape for name, (shape, _) in facts.derived.items()})
        terms = {name: shape for name, shape in facts.terms.items() if name in self.likelihood}
        check_shapes(terms, {name: datum.array.shape for name, datum in self.data.items()}, self.parameters)
        return CompiledBound(self, chains, facts, weighted)


def called_term(name: str) -> str:
    """Return how messages call a likelihood term."""
    return "likelihood" if name == "likelihood" else f"likelihood {name!r}"
