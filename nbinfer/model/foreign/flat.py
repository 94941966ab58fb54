"""Densities over a flat position: functions to compile, C functions by address, Python callables."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.arguments import MOST, flag
from nbinfer.compile import JIT, address_of, call_density, entry, floats_at, ints_at, readonly
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.memory import register
from nbinfer.compile.pool import is_crowded
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.users import compilable
from nbinfer.errors import ModelError
from nbinfer.model.base import BaseModel
from nbinfer.model.bound import Bound, aligned
from nbinfer.model.code.derived import NAME, data_type, units_key
from nbinfer.model.code.generate import DIFFERENCE_STEP
from nbinfer.model.code.plan import Plan, Term
from nbinfer.model.data import Datum, convert, convert_all
from nbinfer.model.evaluate import Facts, call, check_number, retrying
from nbinfer.model.foreign.pointers import PROTOTYPE, c_address, check_signature, knows_null, pointer
from nbinfer.model.model import FLAT, Model
from nbinfer.model.observe import look_where_finite
from nbinfer.model.support.supports import real

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated


@entry("int64(int64, intp, intp, intp)")
def record_position(n: int, q: int, row: int, context: int) -> int:
    """Copy a flat position to its row."""
    position, out = floats_at(q, n), floats_at(row, n)
    for i in range(n):
        out[i] = position[i]
    return 0


@entry("float64(int64, intp, intp, intp)")
def never_null(n: int, q: int, grad: int, context: int) -> float:
    """Call a C function that does not know null; `context` holds its address, its context, room for a gradient."""
    row = ints_at(context, 3)
    return call_density(row[0], n, q, row[2] if grad == 0 else grad, row[1])


def flat(f: Any, dim: int, data: Any, *, context: Any, compile: bool, name: str | None) -> Model:
    """Make the model that `Model.flat` describes."""
    flag("compile", compile)
    try:
        size = operator.index(dim)
    except TypeError:
        raise ModelError(f"dim must be an integer, got {dim!r}") from None
    if size < 1:
        raise ModelError(f"dim must be at least 1, got {size}")
    if size > MOST:
        raise ModelError(f"dim must be at most 2**48, got {size}")
    address = c_address(f)
    if address is not None:
        check_signature(f)
        if address == 0:
            raise ModelError("f must be a C function, got a null pointer")
        if data is not None:
            raise ModelError("a C function gets its data through context=, not through data=")
        user = getattr(f, "user_data", None)
        return ForeignModel(address, size, user if context is None else context, f, name, knows_null(f))
    if context is not None:
        raise ModelError("context= is for C functions; pass data= to a Python function")
    if not callable(f):
        raise ModelError(
            f"f must be a function logp_grad(x, grad, data) or logp(x, data), or a C function, got {type(f).__name__}"
        )
    return FlatModel(f, size, data, name) if compile else CallableModel(f, size, data, name)


FLAT.append(flat)


class _Flat(Model):
    """What all models of one real parameter ``x`` share."""

    is_named = False

    def __init__(self, dim: int, data: Any, name: str | None) -> None:
        self._bare = data is not None and not isinstance(data, Mapping) and not hasattr(data, "_asdict")
        BaseModel.__init__(self, {"x": real(dim)}, name)
        self.prior = self.logp_function = self.logp_grad = None
        self.likelihood, self.derived, self.predict, self.total_size = {}, {}, {}, {}
        self.conditional = {}
        self.allow_nan = ()
        self._data = {"data": convert("data", data)} if self._bare else convert_all(data, ())
        self._has_data = data is not None

    @property
    def _data_argument(self) -> Any:
        """What the function gets as data."""
        if not self._has_data:
            return ()
        return readonly(self._data["data"].value) if self._bare else self._data_tuple


def _argument_names(f: Any, has_data: bool) -> str:
    """Tell from a function's arguments which form it has: names among "x", "grad", "data"."""
    code = getattr(python_function(f), "__code__", None)
    if code is None:
        if not has_data:
            return "x"
        return "x, data"
    bound = 1 if hasattr(f, "__self__") else 0
    names = code.co_varnames[bound : code.co_argcount]
    second_is_data = len(names) == 2 and (has_data or names[1] in ("data", "d", "args"))
    forms = {1: "x", 2: "x, data" if second_is_data else "x, grad", 3: "x, grad, data"}
    if len(names) not in forms or code.co_kwonlyargcount or (has_data and len(names) == 1):
        wanted = "logp_grad(x, grad, data) or logp(x, data)" if has_data else "logp_grad(x, grad) or logp(x)"
        raise ModelError(f"f must be {wanted}, got {code.co_name}({', '.join(names)})")
    return forms[len(names)]


class FlatModel(_Flat):
    """A Python function of a flat position, compiled."""

    def __init__(self, f: Any, dim: int, data: Any, name: str | None) -> None:
        super().__init__(dim, data, name)
        if getattr(python_function(f), "__code__", None) is None or hasattr(f, "__self__"):
            raise ModelError(
                f"f must be a plain or njit function to be compiled, got {type(f).__name__}; "
                "wrap it in a def, or pass compile=False to call it as it is"
            )
        self._f = f
        self._form = _argument_names(f, self._has_data)
        self._label = "logp_grad" if "grad" in self._form else "logp"

    @property
    def is_written(self) -> bool:
        return self._label == "logp_grad"

    @property
    def has_terms(self) -> bool:
        return not self.is_written

    def _labelled(self) -> list[tuple[str, Any]]:
        return [(self._label, self._f)]

    def _pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        arguments = {"x": readonly(np.asarray(values["x"])), "grad": np.zeros(self.dim), "data": self._data_argument}
        return [(self._label, call(self._f, *(arguments[name] for name in self._form.split(", "))))]

    def _observe(self, q: np.ndarray) -> Facts:
        value = self._pieces({"x": q})[0][1]
        check_number(value, self._label)
        if not np.isfinite(value):
            look_where_finite(self)
        return Facts({}, {}, {})

    def _content(self, written: bool) -> str:
        data = self._data.values()
        units = [] if written else units_key(data)
        return fingerprint(self._f, self._form, self._bare, self._has_data, self.dim, [d.key for d in data], units)

    def _derive(self, written: bool) -> list[Generated]:
        from nbinfer.autodiff.derive import derive_flat

        types = {name: data_type(datum) for name, datum in self._data.items()}
        data = (next(iter(types.values())) if self._bare else types) if self._has_data else None
        return [derive_flat(self._f, data, name=NAME)]

    def _plan(self, facts: Facts, written: bool) -> Plan:
        terms = [] if written else [Term("logp", False)]
        data: list[Datum] = list(self._data.values())
        return Plan(self.layout, data, terms, written, [], self._form, self._bare)

    def _names(self, written: bool) -> dict[str, Any]:
        data = [k for k, name in enumerate(self._form.split(", ")) if name == "data"]
        return {self._label: compilable(self._f, data)}


class _ForeignBound(Bound):
    """A density whose machine code and context are not ours; the status words are."""

    def __init__(self, model: Model, chains: int) -> None:
        super().__init__(model, chains)
        self._status = aligned(chains + 1, 1, np.int64)

    def status(self, chain: int) -> int:
        return address_of(self._status[chain])

    @property
    def record(self) -> int:
        return record_position.address

    @property
    def failed_chains(self) -> list[int]:
        return []

    def failure(self, chain: int) -> np.ndarray | None:
        return None

    def clear_failure(self, chain: int) -> None:
        return None


class ForeignModel(_Flat):
    """A C function ``double f(int64_t n, const double *q, double *grad, void *context)``."""

    is_written = True
    has_terms = False

    def __init__(self, address: int, dim: int, context: Any, keep: Any, name: str | None, null: bool) -> None:
        super().__init__(dim, None, name)
        self.address = address
        self.takes_null = null
        self.contexts = [pointer(c) for c in context] if isinstance(context, (list, tuple)) else pointer(context)
        self._keep = (keep, context)
        self.function = PROTOTYPE(address)

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self.title} cannot be pickled: its density is a C function, whose address means nothing in another "
            "process; make the model there"
        )

    def __copy__(self) -> ForeignModel:
        return self

    def __deepcopy__(self, memo: Any) -> ForeignModel:
        return self  # nothing of it changes, and what its pointers lead to is not ours to copy

    def _labelled(self) -> list[tuple[str, Any]]:
        return []

    def _rows(self) -> list[tuple[str, str, str]]:
        return [*super()._rows(), ("f", "C function", hex(self.address))]

    def context_of(self, chain: int) -> int:
        """Return the context pointer of a chain; Python's own calls use the first."""
        return self.contexts[min(chain, len(self.contexts) - 1)] if isinstance(self.contexts, list) else self.contexts

    def call(self, q: np.ndarray, grad: np.ndarray | None, chain: int) -> float:
        """Call the function."""
        spare = grad if grad is not None or self.takes_null else np.empty(self.dim)
        target = 0 if spare is None else address_of(spare)
        return float(self.function(self.dim, address_of(q), target, self.context_of(chain)))

    def _pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return [("f", self.call(np.ascontiguousarray(values["x"], np.float64), None, 0))]

    def bind(self, chains: int = 1) -> Bound:
        if isinstance(self.contexts, list) and len(self.contexts) < chains:
            raise ModelError(f"context must have an entry for each of {chains} chains, got {len(self.contexts)}")
        return _CBound(self, chains)


class _CBound(_ForeignBound):
    has_gradient = "written"
    model: ForeignModel

    def __init__(self, model: ForeignModel, chains: int) -> None:
        super().__init__(model, chains)
        self._address = model.address if JIT else register(model.function)
        self._contexts = [model.context_of(0 if c == chains else c) for c in range(chains + 1)]
        if not model.takes_null:
            self._spare = aligned(chains + 1, self.dim)
            self._rows = aligned(chains + 1, 3, np.int64)
            for row, context, spare in zip(self._rows, self._contexts, self._spare, strict=True):
                row[:3] = self._address, context, address_of(spare)
            self._contexts = [address_of(row) for row in self._rows]

    @property
    def serial(self) -> bool:  # type: ignore[override]
        """Whether the function may be Numba's, and enter a pool that holds one thread at a time."""
        return not self.model.takes_null and is_crowded()

    @property
    def density(self) -> int:
        return self._address if self.model.takes_null else never_null.address

    def context(self, chain: int) -> int:
        return self._contexts[chain]

    def _density(self, *args: int) -> float:
        return float(self.model.function(*args) if self.model.takes_null else never_null(*args))


class CallableModel(_Flat):
    """Any Python callable; it runs under the GIL."""

    def __init__(self, f: Any, dim: int, data: Any, name: str | None) -> None:
        super().__init__(dim, None, name)
        self._f = f
        self._object = data
        self._form = _argument_names(f, data is not None)

    @property
    def is_written(self) -> bool:
        return "grad" in self._form

    @property
    def has_terms(self) -> bool:
        return not self.is_written

    def _labelled(self) -> list[tuple[str, Any]]:
        return [("f", self._f)]

    def _rows(self) -> list[tuple[str, str, str]]:
        return [*super()._rows()[:1], ("f", "Python callable", getattr(self._f, "__name__", type(self._f).__name__))]

    def call(self, q: np.ndarray, grad: np.ndarray | None) -> float:
        """Call the function; it gets a copy of the position, which it may keep."""
        arguments = {"x": q.copy(), "grad": np.zeros(self.dim) if grad is None else grad, "data": self._object}
        if grad is not None:
            grad[:] = 0.0
        value = self._f(*(arguments[name] for name in self._form.split(", ")))
        check_number(value, "f")
        return float(value)

    def _pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return [("f", self.call(np.ascontiguousarray(values["x"], np.float64), None))]

    def bind(self, chains: int = 1) -> Bound:
        retrying(lambda q: self.call(q, None), self.dim)
        return _CallableBound(self, chains)


class _CallableBound(_ForeignBound):
    """Contexts are the numbers of chains; exceptions are kept, counted and replayed like those of compiled code."""

    serial = True
    model: CallableModel

    def __init__(self, model: CallableModel, chains: int) -> None:
        super().__init__(model, chains)
        self._failed = np.zeros(chains + 1, bool)
        self.errors: list[BaseException | None] = [None] * (chains + 1)
        self.has_gradient = "written" if model.is_written else "finite differences"
        self._callback = PROTOTYPE(self._evaluate)
        self._address = ctypes.cast(self._callback, ctypes.c_void_p).value if JIT else register(self._evaluate)

    @property
    def density(self) -> int:
        assert self._address is not None
        return self._address

    @property
    def gradient_warning(self) -> str:
        slow = f"{self.model.title} is a Python callable: its chains run one after the other. Compile it if you can."
        return " ".join(filter(None, [slow, super().gradient_warning]))

    def context(self, chain: int) -> int:
        return chain

    def _density(self, *args: int) -> float:
        return float(self._evaluate(*args))

    @property
    def failed_chains(self) -> list[int]:
        return [int(chain) for chain in np.flatnonzero(self._failed[: self.chains])]

    def failure(self, chain: int) -> np.ndarray | None:
        return self._failures[chain, : self.dim].copy() if self._failed[chain] else None

    def clear_failure(self, chain: int) -> None:
        self._failed[chain] = False
        self.errors[chain] = None

    def _evaluate(self, n: int, q: int, grad: int, chain: int) -> float:
        position = floats_at.py_func(q, self.dim)
        try:
            if grad == 0:
                return self.model.call(position, None)
            target = floats_at.py_func(grad, self.dim)
            return self.model.call(position, target) if self.model.is_written else self._differences(position, target)
        except BaseException as error:  # ctypes would print it and go on with 0.0
            self._status[chain, 0] += 1
            if not self._failed[chain]:
                self._failures[chain, : self.dim] = position
                self.errors[chain] = error
                self._failed[chain] = True
            return -np.inf

    def _differences(self, q: np.ndarray, grad: np.ndarray) -> float:
        trial = q.copy()
        for i in range(self.dim):
            step = DIFFERENCE_STEP * max(1.0, abs(q[i]))
            above, below = q[i] + step, q[i] - step
            trial[i] = above
            difference = self.model.call(trial, None)
            trial[i] = below
            difference -= self.model.call(trial, None)
            trial[i] = q[i]
            grad[i] = difference / (above - below)
        return self.model.call(q, None)

    def replay(self, q: Any, discrete: np.ndarray | None = None) -> float:
        position = self.model.layout.position(q)
        for failed, error in zip(self._failures[:, : self.dim], self.errors, strict=True):
            if error is not None and np.array_equal(failed, position, equal_nan=True):
                raise error
        return self.model.call(position, None)
