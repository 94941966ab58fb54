"""What users call: value_and_grad and check_grad."""

from __future__ import annotations

import builtins
import functools
import inspect
import operator
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import array as array_of
from nbinfer.autodiff.check import Check, compare
from nbinfer.autodiff.compiled import Compiled
from nbinfer.autodiff.errors import ADError, DerivativeWarning
from nbinfer.autodiff.generated import Generated, Leaf, Tuple, Type, python_function
from nbinfer.autodiff.shortcut import MOST, Shortcut, nowhere, shortcut
from nbinfer.autodiff.store import find
from nbinfer.compile.forks import cached_property
from nbinfer.errors import unseen
from nbinfer.spelling import public

__all__ = ["check_grad", "value_and_grad"]


class _Call:
    """The arguments of one call, taken apart into numbers and arrays."""

    def __init__(
        self, names: Sequence[str], args: Sequence[Any], active: Sequence[int], fields: Sequence[str] | None = None
    ) -> None:
        self.leaves: list[Any] = []
        self.types: list[Any] = []
        self.gradients: list[np.ndarray] = []
        self._names: list[str] = []
        self._gradient_names: list[str] = []
        self._taken = {"np", "math", "arena", *vars(builtins)}
        self._fields = fields  # of an active tuple those that are active; None: all
        own = [self._new(name) for name in names]
        self.nodes = [self._take(name, arg, k in active) for k, (name, arg) in enumerate(zip(own, args, strict=True))]

    @property
    def signature(self) -> str:
        """Arguments of the generated function."""
        return ", ".join([*self._names, *self._gradient_names])

    @property
    def key(self) -> Any:
        """What the generated function depends on."""
        return tuple(self.types)

    def _new(self, name: str) -> str:
        """Return a name that no other argument of the generated function has, and nothing that it calls."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _take(self, name: str, thing: Any, active: bool) -> Any:
        if isinstance(thing, tuple):
            fields = getattr(thing, "_fields", None)
            names = fields or [str(k) for k in range(len(thing))]
            self.types.append((type(thing).__name__ if fields else "tuple", tuple(names)))
            chosen = names if self._fields is None else self._fields
            parts = zip(names, thing, strict=True)
            return Tuple(
                {n: self._take(self._new(f"{name}_{n}"), item, active and n in chosen) for n, item in parts},
                fields is not None,
            )
        if thing is None or isinstance(thing, str):
            self.types.append(thing)
            return thing
        if hasattr(thing, "filled"):  # of np.ma, which takes long to import
            raise ADError(f"argument {name} is a masked array; pass values without a mask: {name}.filled(0.0)")
        array = np.asarray(array_of(f"argument {name}", thing))
        kind = {"f": "float", "i": "int", "u": "int", "b": "bool"}.get(array.dtype.kind)
        if kind is None:
            what = f"{type(thing).__name__} of dtype {array.dtype}" if isinstance(thing, np.ndarray) else repr(thing)
            raise ADError(f"argument {name} must hold numbers, in arrays or (named) tuples, got {what}")
        if active and (kind == "int" or kind == "bool"):
            kind = "float"
        array = np.ascontiguousarray(array, {"float": np.float64, "int": np.int64, "bool": np.bool_}[kind])
        array = array.reshape(np.shape(thing))
        units = tuple(axis for axis, size in enumerate(array.shape) if size == 1)
        leaf_type = Type(kind, array.ndim, units)
        without_axes = isinstance(thing, np.ndarray) and not thing.ndim  # which the caller has, too
        self.types.append((leaf_type, "without axes") if without_axes else leaf_type)
        self._names.append(name)
        self.leaves.append(array if array.ndim else {"float": float, "int": int, "bool": bool}[kind](array))
        if not active:
            return Leaf(leaf_type, name, without_axes=without_axes)
        self.gradients.append(np.zeros(array.shape))
        self._gradient_names.append(self._new(f"{name}_grad"))
        gradient = self._gradient_names[-1] + ("" if array.ndim else "[()] += {}")
        return Leaf(leaf_type, name, gradient, without_axes=without_axes)

    def gradient_like(self, thing: Any, left: list[np.ndarray]) -> Any:
        """Put gradients into the form of an argument: floats for numbers, tuples for tuples."""
        if isinstance(thing, tuple):
            parts = [self.gradient_like(item, left) for item in thing]
            return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
        if thing is None or isinstance(thing, str):
            return thing
        array = left.pop(0)
        return array if array.ndim or isinstance(thing, np.ndarray) else float(array)


class ValueAndGrad:
    """A function's value and gradient, derived and compiled on first use for each combination of argument types.

    Attributes
    ----------
    source : str
        The generated code of the last call.
    """

    #: Fields of an active tuple that are active; None: all. And whether an array that the function returns is summed.
    _fields: tuple[str, ...] | None = None
    _sums = False

    def __init__(self, function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> None:
        if not callable(function):
            raise TypeError(f"function must be a function to differentiate, got {function!r}")
        self.function = function
        self.argnums = argnums
        self._active = _positions(argnums)
        self._several = isinstance(argnums, Sequence)
        self._name = getattr(function, "__name__", "function").replace("<lambda>", "function")
        self.__doc__ = f"Value and gradient of {self._name}."
        self._known: dict[Any, Compiled] = {}
        self._shortcuts: dict[Any, tuple[Shortcut, Generated | None]] = {}
        #: The short way of the last call, if it took one.
        self._recent: Shortcut = nowhere
        self._last: Generated | None = None

    def __call__(self, *args: Any, **named: Any) -> tuple[float, Any]:
        if named:
            args = self._in_order(args, named)
        known = self._recent(args)  # mostly arguments are like those of the call before
        if known is not None:
            return known
        kinds = tuple([(x.dtype, x.shape) if type(x) is np.ndarray else type(x) for x in args])
        short, generated = self._shortcuts.get(kinds, (nowhere, None))
        known = short(args)
        if known is not None:
            self._recent, self._last = short, generated
            return known
        value, call = self._evaluate(args)
        order = sorted(self._active)
        gradients = [call.gradient_like(args[k], call.gradients) for k in order]
        found = tuple(gradients[order.index(k)] for k in self._active)
        self._remember(kinds, args, self._known[call.key])
        return value, found if self._several else found[0]

    def _in_order(self, args: Sequence[Any], named: dict[str, Any]) -> tuple[Any, ...]:
        """Return the arguments of a call that names some in the order in which the function takes them."""
        try:
            bound = inspect.signature(self._plain).bind(*args, **named)
        except TypeError as error:
            names = ", ".join(inspect.signature(self._plain).parameters)
            raise TypeError(f"{self._name}(): {error}; it takes {names}") from None
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f"{self._name}() takes {', '.join(bound.kwargs)} by name alone; make it a common argument")
        return bound.args

    def _remember(self, kinds: Any, args: Sequence[Any], compiled: Compiled) -> None:
        """Note the short way for the next call with arguments of these types and shapes."""
        if kinds not in self._shortcuts:
            if len(self._shortcuts) >= MOST:
                self._shortcuts = {}
            short = shortcut(compiled, args, self._active, self._several)
            self._shortcuts[kinds] = short, compiled.generated

    def _evaluate(self, args: Sequence[Any]) -> tuple[float, _Call]:
        """Return the value, and the call with its gradients."""
        call = self._take_apart(args)
        compiled = self._compiled(call)
        try:
            value = compiled([*call.leaves, *call.gradients])
        except ValueError as reason:
            if str(reason) != "shapes do not fit":
                raise
            names = [*call.signature.split(", ")[: len(call.leaves)], *compiled.generated.arrays]
            arrays = zip(names, [*call.leaves, *compiled.generated.arrays.values()], strict=True)
            shapes = ", ".join(f"{name} has shape {a.shape}" for name, a in arrays if isinstance(a, np.ndarray))
            raise ValueError(f"the shapes of the arguments do not fit: {shapes}") from None
        return value, call

    def __getstate__(self) -> dict[str, Any]:
        """Return what other processes, and copies, need: compiled code is at addresses of this one."""
        kept = {name: value for name, value in vars(self).items() if name != "_plain"}
        return kept | {"_known": {}, "_shortcuts": {}, "_recent": nowhere, "_last": None}

    def __repr__(self) -> str:
        return f"value_and_grad({self._name}, argnums={self.argnums})"

    def derive(self, *args: Any) -> Generated:
        """Generate the code for arguments like these; compile nothing."""
        self._recent, self._last = nowhere, self._derive(self._take_apart(args))
        return self._last

    def _derive(self, call: _Call) -> Generated:
        from nbinfer.autodiff.derive import derive_call

        name = f"{self._name}_value_and_grad"
        generated = derive_call(self.function, name, call.signature, call.nodes, self._sums)
        warn(generated)
        return generated

    @cached_property
    def _plain(self) -> types.FunctionType:
        return python_function(self.function)

    @property
    def source(self) -> str:
        return self._generated.source

    def explain(self) -> str:
        """Tell what the generated code keeps for the reverse sweep, and what it computes there only."""
        notes = self._generated.notes
        kept = any("taped" in note or "copied" in note for note in notes)
        return "\n".join(notes if kept else ["nothing is taped or copied", *notes])

    @property
    def _generated(self) -> Generated:
        if self._last is None:
            raise ADError(f"the code of {self._name} depends on the types of its arguments; call it once first")
        return self._last

    def _take_apart(self, args: Sequence[Any]) -> _Call:
        code = self._plain.__code__
        names = list(code.co_varnames[: code.co_argcount])
        if code.co_flags & inspect.CO_VARARGS:
            rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
            names += [f"{rest}_{k}" for k in range(len(args) - len(names))]
        if len(args) > len(names):
            raise TypeError(f"{self._name}() takes {len(names)} arguments, got {len(args)}")
        required = names[len(args) : code.co_argcount - len(self._plain.__defaults__ or ())]
        if required:
            raise TypeError(f"{self._name}() misses {', '.join(map(repr, required))}: it takes {', '.join(names)}")
        if any(not 0 <= k < len(args) for k in self._active):
            raise ValueError(f"argnums must be positions of the {len(args)} arguments given, got {self.argnums}")
        return _Call(names[: len(args)], args, self._active, self._fields)

    @property
    def _chosen(self) -> tuple[Any, ...]:
        """What the derivative is by, and whether that is of a sum."""
        return (self._active,) if self._fields is None else (self._active, self._fields, self._sums)

    def _compiled(self, call: _Call) -> Compiled:
        if call.key not in self._known:
            derive = functools.partial(self._derive, call)
            found = find(self.function, (self._name, *self._chosen, call.key), derive)
            self._known[call.key] = Compiled(found, [*call.leaves, *call.gradients], derive)
        self._recent, self._last = nowhere, self._known[call.key].generated
        return self._known[call.key]


def _positions(argnums: Any) -> tuple[int, ...]:
    """Check which arguments are meant."""
    several = argnums if isinstance(argnums, Sequence) else [argnums]
    try:
        positions = tuple(operator.index(k) for k in several if not isinstance(k, (bool, np.bool_)))
    except TypeError:
        positions = ()
    if len(positions) != len(several):
        raise TypeError(f"argnums must be the position of an argument or a tuple of positions, got {argnums!r}")
    if not positions or len(set(positions)) != len(positions) or min(positions) < 0:
        raise ValueError(f"argnums must name each argument once, by its position from 0 on, got {argnums!r}")
    return positions


#: Python notes here which warnings it has shown.
_SHOWN: dict[Any, Any] = {}


def warn(generated: Generated) -> None:
    """Issue the warnings of generated code, each at the user's own line, once."""
    for note in generated.warnings:
        text = f"{note.message}: {note.text}"
        with unseen():
            warnings.warn_explicit(text, DerivativeWarning, note.file, note.line, registry=_SHOWN)


@public
def value_and_grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> ValueAndGrad:
    """Differentiate a function of numbers and arrays.

    Parameters
    ----------
    function : callable
        A plain or ``njit`` function that returns a number.
    argnums : int or sequence of int
        Positions of the arguments by which to differentiate: numbers, float arrays, or (named) tuples of them.

    Returns
    -------
    value_and_grad : ValueAndGrad
        Takes the function's arguments; returns the value and a gradient like the argument: a float for a number, an
        array for an array, a named tuple for a named tuple; a tuple of those if `argnums` is a sequence.

    Raises
    ------
    ADError
        When called, if the function lies outside the subset that can be differentiated.

    See Also
    --------
    check_grad : Compare with finite differences.
    custom_vjp : Give the derivative of a function yourself.

    Examples
    --------
    >>> from nbinfer.autodiff import value_and_grad
    >>> def logp(x, scale):
    ...     return -0.5 * (x / scale) ** 2
    >>> value_and_grad(logp)(3.0, 2.0)
    (-1.125, -0.75)
    """
    return ValueAndGrad(function, argnums)


@public
def check_grad(function: Callable[..., Any], x: Any, *data: Any) -> Check:
    """Compare the derived gradient of a function with finite differences.

    Parameters
    ----------
    function : callable
        A plain or ``njit`` function that returns a number.
    x : float, array or named tuple
        Where, and by what to differentiate: the function's first argument.
    *data : object
        The other arguments.

    Returns
    -------
    check : Check
        ``check.ok``, and every coordinate beside its central difference; its text names the worst.

    Examples
    --------
    >>> from nbinfer.autodiff import check_grad
    >>> def square(x):
    ...     return x**2
    >>> check_grad(square, 3.0).ok
    True
    """
    return compare(function, value_and_grad(function), x, data)
