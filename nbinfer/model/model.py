"""`Model`: parameters, data and the functions over them."""

from __future__ import annotations

import collections
import copy
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.arguments import words
from nbinfer.compile import JIT, readonly
from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.forks import cached_property
from nbinfer.compile.keys import sources
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.store import Place
from nbinfer.compile.users import compilable
from nbinfer.errors import ModelError
from nbinfer.model.base import BaseModel, default_model
from nbinfer.model.bound import Bound, CompiledBound
from nbinfer.model.code.derived import NAME, data_type, derive_bounds, parameter_types, units_key
from nbinfer.model.code.extras import conditionals
from nbinfer.model.code.kinds import with_kinds
from nbinfer.model.code.plan import Derived, Plan, Term
from nbinfer.model.data import check_name, content_key, convert_all, replace
from nbinfer.model.evaluate import (
    Facts,
    call,
    check_arguments,
    check_number,
    check_shapes,
    check_term,
    retrying,
)
from nbinfer.model.observe import check_sum, describe, look_where_finite
from nbinfer.model.support.bounds import BoundsError, called

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated


#: What makes models of flat densities. They are models, so that it cannot be imported here: it comes by itself.
FLAT: list[Callable[..., Model]] = []


class Model(BaseModel):
    """A Bayesian model: a log density over named parameters.

    Functions may not write to ``p`` and ``d``: they are read-only, compiled or not. An index that leaves its array
    raises IndexError, as in plain Python.

    Parameters
    ----------
    parameters : mapping of str to Support
        Names and supports: ``{"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)}``. Bounds may be functions of
        the parameters that stand before.
    prior : callable, optional
        ``prior(p, d) -> float``: log prior density. ``p`` and ``d`` are named tuples of parameters and data.
    likelihood : callable or mapping of str to callable, optional
        ``likelihood(p, d)``: log likelihood, a number or an array with one term per observation, which is summed. A
        mapping names several; a name that is also a data name makes that entry observed data, and the term may have no
        more values than these along any axis.
    logp : callable, optional
        ``logp(p, d) -> float``: log density, instead of prior and likelihood.
    logp_grad : callable, optional
        ``logp_grad(p, d, grad) -> float``: log density; adds its gradient into ``grad``, a named tuple of arrays (of
        shape () for numbers: ``grad.mu[()] += ...``), on the constrained scale, without Jacobians.
    data : mapping of str to array_like, optional
        Arrays and numbers.
    derived : mapping of str to callable, optional
        ``f(p, d)``: quantities stored with the draws. What is an integer or a truth value at every point, as Numba
        infers it, is stored as int64 or bool; everything else as float64.
    predict : mapping of str to callable, optional
        ``f(p, d, rng)``: draws of observed data given parameters.
    total_size : mapping of str to float, optional
        For a likelihood term over a sample of the data, the number of observations it stands for.
    conditional : callable or mapping of str to callable, optional
        By variable, ``f(p, d, i) -> float``: the log density of what depends on element i (counted through all axes) of
        that variable, up to what does not. Steps that move single elements then need not pay for the whole density. A
        function alone is that of the only variable.
    allow_nan : collection of str
        Data entries that may hold NaN.
    name : str, optional
        For messages.

    Attributes
    ----------
    parameters : dict of str to Parameter
        With ``shape``, ``support`` and ``size``, the number of unconstrained coordinates.
    dim : int
        Number of unconstrained coordinates.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        *,
        prior: Callable[..., Any] | None = None,
        likelihood: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
        logp: Callable[..., Any] | None = None,
        logp_grad: Callable[..., Any] | None = None,
        data: Mapping[str, Any] | None = None,
        derived: Mapping[str, Callable[..., Any]] | None = None,
        predict: Mapping[str, Callable[..., Any]] | None = None,
        total_size: Mapping[str, float] | float | None = None,
        conditional: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
        allow_nan: Collection[str] = (),
        name: str | None = None,
    ) -> None:
        super().__init__(parameters, name)
        self.allow_nan = tuple(words("allow_nan", allow_nan))
        self._data = convert_all(data, self.allow_nan)
        if callable(likelihood):
            likelihood = {"likelihood": likelihood}
        self.prior, self.logp_function, self.logp_grad = prior, logp, logp_grad
        self.likelihood = _functions(likelihood, "likelihood")
        self.derived = _functions(derived, "derived")
        self.predict = _functions(predict, "predict")
        self._check_functions()
        self.conditional = conditionals(self, conditional)
        self.total_size = self._check_total_size(total_size)

    @staticmethod
    def flat(
        f: Any, dim: int, data: Any = None, *, context: Any = None, compile: bool = True, name: str | None = None
    ) -> Model:
        """Make a model of a function of a flat position, whose one parameter ``x`` has shape (dim,).

        Parameters
        ----------
        f : callable or C function
            ``logp_grad(x, grad, data) -> float`` fills ``grad``; ``logp(x, data) -> float`` has no gradient; ``data``
            may be left out if there is none. Plain and njit functions are compiled. A C function, as `numba.cfunc`,
            ctypes or cffi pointer or `scipy.LowLevelCallable`, is ``double f(int64_t n, const double *q, double *grad,
            void *context)``, where a null ``grad`` asks for the value only.
        dim : int
            Number of coordinates.
        data : mapping, array or number, optional
            A mapping arrives as a named tuple, an array as it is.
        context : int, ctypes pointer, array or list of these, optional
            For C functions: what they get as ``context``; a list has one for each chain.
        compile : bool
            False: call ``f`` as a Python callable, which may be anything; serial and slow. It gets a copy of the
            position, and `data` itself, which it may change.
        name : str, optional
            For messages.
        """
        return FLAT[0](f, dim, data, context=context, compile=compile, name=name)

    @property
    def data(self) -> dict[str, Any]:
        """Data as the functions see them: arrays and numbers by name."""
        return {name: datum.value for name, datum in self._data.items()}

    @property
    def observed(self) -> dict[str, np.ndarray]:
        """Data entries that a likelihood term or a prediction is named after."""
        names = [name for name in self._data if name in self.likelihood or name in self.predict]
        return {name: self._data[name].array for name in names}

    #: Whether functions see parameters and data by name.
    is_named = True

    @property
    def has_terms(self) -> bool:
        """Whether the density itself was given, and not only a function with its gradient."""
        return self.prior is not None or self.logp_function is not None or bool(self.likelihood)

    @property
    def is_written(self) -> bool:
        """Whether the user wrote the gradient."""
        return self.logp_grad is not None

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = super()._rows()
        rows += [(name, "data", repr(datum)) for name, datum in self._data.items()]
        rows += [(label, "function", getattr(python_function(f), "__name__", "?")) for label, f in self._labelled()]
        return rows

    @staticmethod
    def _called(term: str) -> str:
        """Return how messages call a likelihood term."""
        return "likelihood" if term == "likelihood" else f"likelihood {term!r}"

    @property
    def _all_functions(self) -> list[tuple[str, Any]]:
        """Every function of the user's with its place."""
        bounds = [(called(a, p.name), f) for p in self.layout.dependent for a, f in p.functions.items()]
        return bounds + self._labelled()

    def _labelled(self) -> list[tuple[str, Any]]:
        """Return the functions that are arguments of the model."""
        single = [("prior", self.prior), ("logp", self.logp_function), ("logp_grad", self.logp_grad)]
        result = [(label, f) for label, f in single if f is not None]
        result += [(self._called(name), f) for name, f in self.likelihood.items()]
        result += [(f"derived {name!r}", f) for name, f in self.derived.items()]
        return result + [(f"predict {name!r}", f) for name, f in self.predict.items()]

    # ---- checks at the door

    def _check_functions(self) -> None:
        pieces = self.prior is not None or bool(self.likelihood)
        if self.logp_function is not None and pieces:
            raise ModelError("a model has either logp or prior and likelihood, got both; put everything into one")
        if self.logp_function is None and not pieces and self.logp_grad is None:
            raise ModelError("a model needs a density: pass prior and likelihood, or logp, or logp_grad")
        for label, function in self._labelled():
            third = ("grad",) if label == "logp_grad" else ("rng",) if label.startswith("predict") else ()
            check_arguments(function, label, ("p", "d", *third))
        for name in self.likelihood:
            check_name(name, "the likelihood name")
        for name in self.derived:
            check_name(name, "the derived quantity")
            if name in self.parameters:
                raise ModelError(f"derived {name!r} has the name of a parameter; call it otherwise")

    def _check_total_size(self, total_size: Any) -> dict[str, float]:
        if total_size is None:
            return {}
        if not isinstance(total_size, Mapping):
            if len(self.likelihood) != 1:
                raise ModelError("total_size must map names of likelihood terms to numbers: total_size={'y': 10000}")
            total_size = {next(iter(self.likelihood)): total_size}
        for name, size in total_size.items():
            if name not in self.likelihood:
                known = ", ".join(self.likelihood) or "none"
                raise ModelError(f"total_size names {name!r}, which is no likelihood term; terms: {known}")
            number = isinstance(size, (int, float, np.integer, np.floating)) and not isinstance(size, bool)
            if not number or not 0 < size < np.inf:
                raise ModelError(f"total_size[{name!r}] must be a positive number, got {size!r}")
        return {name: float(size) for name, size in total_size.items()}

    def set_data(self, **new: Any) -> None:
        """Exchange data for others of the same dtypes and numbers of dimensions; nothing is compiled anew.

        Parameters
        ----------
        **new : array_like
            New values by name. Runs that have begun keep the old ones.
        """
        self._data = replace(self._data, new, self.allow_nan)
        self.__dict__.pop("_data_tuple", None)

    # ---- plain Python

    @cached_property
    def _data_tuple(self) -> Any:
        return readonly(collections.namedtuple("Data", tuple(self._data))(**self.data))

    @cached_property
    def _gradient_class(self) -> Any:
        return collections.namedtuple("Gradients", [p.name for p in self.layout.continuous])

    def _arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return (self.layout.as_tuple(values), self._data_tuple)

    def _call_written(self, values: Mapping[str, Any]) -> Any:
        grad = self._gradient_class(*(np.zeros(p.shape) for p in self.layout.continuous))
        return call(self.logp_grad, *self._arguments(values), grad)

    def _pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Evaluate prior and likelihood, or what there is instead, by name."""
        if not self.has_terms:
            return [("logp_grad", self._call_written(values))]
        single = [("prior", self.prior), ("logp", self.logp_function)]
        result = [(label, call(f, *self._arguments(values))) for label, f in single if f is not None]
        return result + [(name, call(f, *self._arguments(values))) for name, f in self.likelihood.items()]

    def density_of(self, values: Mapping[str, Any]) -> float:
        pieces = self._pieces(values)
        weights = dict(zip(self._weighted, self.weights(None), strict=True)) if self.total_size else {}
        return float(sum(weights.get(name, 1.0) * np.sum(value) for name, value in pieces))

    def evaluate(self, q: Any, discrete: np.ndarray) -> float:
        """Evaluate every function at a position in plain Python; -inf where bounds leave nothing between them."""
        try:
            values, log_jacobian = self.layout.image(q, self._data_tuple, discrete if discrete.size else None)
        except BoundsError:
            return -np.inf
        logp = log_jacobian + self.density_of(values)
        if self.logp_grad is not None:
            self._call_written(values)
        self.derived_values(values)
        if np.isfinite(logp):  # elsewhere no step asks for them
            for name, f in self.conditional.items():
                for i in range(self.parameters[name].elements):
                    call(f, *self._arguments(values), i)
        return logp

    def derived_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the derived quantities at constrained values, in plain Python."""
        return {name: call(f, *self._arguments(values)) for name, f in self.derived.items()}

    def explain(self, q: Any, discrete: np.ndarray) -> str:
        """Name the first piece of the density that is not finite at a position; '' if all are."""
        try:
            values, log_jacobian = self.layout.image(q, self._data_tuple, discrete if discrete.size else None)
        except BoundsError as error:
            return str(error)
        for name, value in values.items():
            if not np.all(np.isfinite(value)):
                return f"parameter {name!r} is {np.ravel(value)[~np.isfinite(np.ravel(value))][0]}"
        if not np.isfinite(log_jacobian):
            return f"the log Jacobian of the transforms is {log_jacobian}"
        for label, value in self._pieces(values):
            bad = ~np.isfinite(np.asarray(value, np.float64))
            if bad.any():
                index = f" at index {tuple(int(i) for i in np.argwhere(bad)[0])}" if bad.ndim else ""
                what = f"the {self._called(label)}" if label in self.likelihood else label
                return f"{what} is {np.asarray(value)[bad][0]}{index}"
        return ""

    # ---- compiling

    def bind(self, chains: int = 1) -> Bound:
        """Give the model memory for a number of chains, and machine code, which is made when first asked for."""
        facts = with_kinds(self, self._facts())
        check_shapes(facts.terms, {name: datum.array.shape for name, datum in self._data.items()}, self.parameters)
        # What is bound keeps the data it was bound with.
        return CompiledBound(copy.copy(self), chains, facts, self.weights(facts))

    def _derive(self, written: bool) -> list[Generated]:
        """Derive what code needs: the gradient unless it is written, and the pullbacks of bounds that are functions."""
        from nbinfer.autodiff.derive import derive

        data = {name: data_type(datum) for name, datum in self._data.items()}
        bounds = derive_bounds(self.layout, data)
        if written:
            return bounds
        types = parameter_types(self.layout)
        density = derive(types, data, prior=self.prior, terms=self.likelihood, logp=self.logp_function, name=NAME)
        return [density, *bounds]

    @property
    def _weighted(self) -> list[str]:
        """Names of the terms in the order of their weights, where there is more than one density."""
        return (["prior"] if self.prior is not None else []) + list(self.likelihood)

    def weights(self, facts: Facts | None) -> np.ndarray:
        """Return the weight of the prior (or the whole density) and of each likelihood term."""
        weights = np.ones(max(len(self._weighted), 1))
        for name, size in self.total_size.items():
            weights[self._weighted.index(name)] = size / self._term_length(name, facts)
        return weights

    def _term_length(self, name: str, facts: Facts | None) -> int:
        datum = self._data.get(name)
        if datum is not None and not datum.scalar and datum.array.ndim:
            return int(datum.array.shape[0])
        shape = (facts or self._facts()).terms[name]
        if not shape:
            raise ModelError(f"total_size[{name!r}] needs a term with one value per observation, got a number")
        return shape[0]

    def _content(self, written: bool) -> str:
        """Hash what code is made of, with the gradient that the user wrote or without."""
        left_out = ("predict",) if written else ("predict", "logp_grad")
        functions = [(label, f) for label, f in self._all_functions if not label.startswith(left_out)]
        data = self._data.values()
        units = units_key(data) if self.layout.dependent or not written else []
        return fingerprint(functions, list(self.layout.keys()), [d.key for d in data], units)

    def _facts(self) -> Facts:
        """Run the functions once in Python, check what they return, and keep the outcome beside the machine code."""
        content = file_digest(self._content(self.is_written), sources("nbinfer.model"))
        place = Place("facts", f"{content}-{content_key(self._data.values())}.json")
        known = place.read_json() if JIT else None
        if known is not None:
            return Facts.from_json(known)
        facts = retrying(self._observe, self.dim)
        if JIT:
            place.write_json(facts.as_json())
        return facts  # type: ignore[no-any-return]

    def _observe(self, q: np.ndarray) -> Facts:
        values = self.constrain(q)
        terms: dict[str, tuple[int, ...] | None] = {}
        pieces = self._pieces(values)
        for label, value in pieces:
            if label in self.likelihood:
                check_term(value, self._called(label))
                terms[label] = value.shape if isinstance(value, np.ndarray) else None
            else:
                check_number(value, label)
        if not np.isfinite(sum(np.sum(value) for _, value in pieces)):
            look_where_finite(self)
        if self.logp_grad is not None:
            check_number(self._call_written(values), "logp_grad")
            if self.has_terms:
                check_sum(self, q)
        bounds = {}
        for p in self.layout.dependent:
            found = self.layout.bound_values(p, values, self._data_tuple)
            for argument in p.functions:
                value = found[argument]
                bounds[argument, p.name] = value.shape if isinstance(value, np.ndarray) else None
        return Facts(terms, {name: describe(self, name, values, q) for name in self.derived}, bounds)

    def _plan(self, facts: Facts, written: bool) -> Plan:
        """Tell what goes into a module."""
        terms = [Term("prior", False)] if self.prior is not None else []
        terms += [Term("logp", False)] if self.logp_function is not None else []
        terms += [Term(f"likelihood_{name}", facts.terms[name] is not None) for name in self.likelihood]
        derived = [Derived(f"derived_{name}", len(shape), kind) for name, (shape, kind) in facts.derived.items()]
        data = list(self._data.values())
        return Plan(self.layout, data, terms, written, derived, bounds=facts.bounds)

    def _names(self, written: bool) -> dict[str, Any]:
        """Return what a generated module finds among its globals."""
        names = {"prior": self.prior, "logp": self.logp_function, "logp_grad": self.logp_grad if written else None}
        names |= {f"likelihood_{name}": f for name, f in self.likelihood.items()}
        names |= {f"derived_{name}": f for name, f in self.derived.items()}
        names |= {f"bound_{a}_{p.name}": f for p in self.layout.dependent for a, f in p.functions.items()}
        found = {name: compilable(f, data=(1,)) for name, f in names.items() if f is not None}
        for p in self.layout.continuous:
            parts = ["forward", "pullback", *(["settle", "sensitivity"] if p.support.bounds else [])]
            found |= {f"{part}_{p.name}": getattr(p.support, part) for part in parts}
        return found


def _functions(functions: Any, what: str) -> dict[str, Any]:
    if functions is None:
        return {}
    if not isinstance(functions, Mapping):
        raise ModelError(f"{what} must map names to functions, got {type(functions).__name__}")
    return dict(functions)


def the_model(model: Any) -> Model:
    """Return the model, or that of the enclosing ``with`` block if none is given."""
    if model is None:
        return default_model()
    if not isinstance(model, Model):
        raise TypeError(f"model must be an nbinfer.Model, got {type(model).__name__}. Wrap a function in Model.flat.")
    return model
