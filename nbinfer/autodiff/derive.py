"""Gradients of models and of functions: value and gradient in one generated function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from nbinfer.autodiff import calls as _calls  # noqa: F401  (registers what functions mean)
from nbinfer.autodiff.generated import Generated, Leaf, Tuple, Type
from nbinfer.autodiff.program import Term, generate, structure

__all__ = [
    "derive",
    "derive_call",
    "derive_data_pullback",
    "derive_flat",
    "derive_function",
    "derive_pullback",
    "flat_inputs",
]


def derive(
    parameters: Mapping[str, Type | Leaf],
    data: Mapping[str, Type],
    *,
    arguments: str = "",
    prior: Callable[..., Any] | None = None,
    terms: Mapping[str, Callable[..., Any]] | None = None,
    logp: Callable[..., Any] | None = None,
    name: str = "logp_grad",
    active: Collection[str] = (),
    gradient: bool = True,
    vanishing: bool = False,
) -> Generated:
    """Write ``logp_grad(p, d, grad, weights)`` of a model.

    It adds the gradient of ``weights[0] * prior + weights[1] * sum(term) + ...`` into the named tuple of arrays `grad`
    (of shape () for numbers) and returns the value. The weights stand in the order prior, terms; a model of one `logp`
    has one weight. Terms of weight 0 do not count in the value, whatever they are.

    Parameters
    ----------
    parameters : mapping
        `Type` of each field of ``p``; integers and booleans are discrete and have no gradient. A `Leaf` where ``p`` and
        ``grad`` are no named tuples: it says how generated code reaches value and gradient.
    data : mapping
        `Type` of each field of ``d``.
    arguments : str
        What the function takes before the weights, in place of ``p, d, grad``.
    prior : callable, optional
        ``prior(p, d)`` that returns a number.
    terms : mapping, optional
        Functions ``f(p, d)`` by name, that return a number or an array.
    logp : callable, optional
        ``logp(p, d)`` that returns a number; instead of `prior` and `terms`.
    name : str
        Of the function.
    active : collection of str
        Fields of ``d`` that have a gradient, too: it is added into another argument, the named tuple ``slopes``.
    gradient : bool
        Whether to differentiate; if not, it writes ``name(p, d, weights)``, which returns the value alone.
    vanishing : bool
        Whether weights may be 0: gradients heed that, too, then, where a term is not finite.

    Returns
    -------
    generated : Generated
        ``.source``, ``.globals`` (add ``np`` and ``math``), ``.warnings``, ``.notes``.

    Raises
    ------
    ADError
        If a function lies outside the subset that can be differentiated.
    """
    args: tuple[Any, ...] = (structure(parameters, "p", "grad"), _data(data, active))
    args = args if gradient else tuple(map(_without_gradient, args))
    whole = logp if logp is not None else prior
    found = [] if whole is None else [("logp" if logp is not None else "prior", whole, False)]
    found += [(key, function, True) for key, function in (terms or {}).items()]
    listed = [Term(key, function, args, f"weights[{k}]", sums) for k, (key, function, sums) in enumerate(found)]
    arguments = arguments or ("p, d, grad" if gradient else "p, d")
    signature = f"{arguments}, weights{', slopes' if active and gradient else ''}"
    return generate(name, signature, listed, gradient=gradient, vanishing=vanishing)


def _without_gradient(node: Any) -> Any:
    """Describe inputs that vary as they do, but by which nothing is differentiated."""
    if isinstance(node, Tuple):
        return node._replace(fields={name: _without_gradient(field) for name, field in node.fields.items()})
    return node._replace(gradient="", varies=node.varies or bool(node.gradient))


def _data(types: Mapping[str, Type], active: Collection[str]) -> Tuple:
    """Describe the data, of which some fields are active."""
    return structure(types, "d", "slopes", active) if active else structure(types, "d")


def derive_flat(
    function: Callable[..., Any], data: Any = None, *, name: str = "logp_grad", gradient: bool = True
) -> Generated:
    """Write ``logp_grad(x, grad, data)`` of a function of a flat position; it adds to `grad` and returns the value.

    Parameters
    ----------
    function : callable
        ``f(x)`` or ``f(x, data)`` with an array `x` of one axis, that returns a number.
    data : Type, sequence of Type or mapping of Type, optional
        Types of the data: of an array or number, of a tuple, of a named tuple. None if the function takes none.
    name : str
        Of the function.
    gradient : bool
        Whether to differentiate; if not, `grad` is no argument, and the value all that is computed.

    Returns
    -------
    generated : Generated
        The function; without data its head is ``logp_grad(x, grad)``.
    """
    args = flat_inputs(data)
    args = args if gradient else tuple(map(_without_gradient, args))
    head = "x, grad" if gradient else "x"
    head = head if data is None else f"{head}, data"
    return generate(name, head, [Term(name, function, args)], gradient=gradient)


def flat_inputs(data: Any) -> tuple[Any, ...]:
    """Describe what a function of a flat position takes, with `data` as in `derive_flat`."""
    position = Leaf(Type("float", 1), "x", "grad")
    if data is None:
        return (position,)
    if isinstance(data, Type):
        return position, Leaf(data, "data")
    if isinstance(data, Mapping):
        return position, structure(data, "data")
    return position, Tuple({str(k): Leaf(t, f"data[{k}]") for k, t in enumerate(data)}, named=False)


def derive_pullback(
    function: Callable[..., Any],
    parameters: Mapping[str, Type | Leaf],
    data: Mapping[str, Type],
    bar: Type,
    *,
    arguments: str = "p, d, bar, grad",
    name: str = "pullback",
    active: Collection[str] = (),
) -> Generated:
    """Write ``pullback(p, d, bar, grad)`` of a function of parameters and data, such as a bound.

    It adds to `grad` the derivative of ``sum(bar * f(p, d))`` and returns that sum. The value itself is the function's
    own business.

    Parameters
    ----------
    function : callable
        ``f(p, d)`` that returns a number or an array, which broadcasts with `bar`.
    parameters, data : mapping
        `Type` of each field of ``p`` and ``d``; a `Leaf` as in `derive`.
    bar : Type
        Of `bar`, a number or an array.
    arguments : str
        What the function takes, in place of ``p, d, bar, grad``.
    name : str
        Of the generated function.
    active : collection of str
        As in `derive`.

    Returns
    -------
    generated : Generated
        The function.
    """
    args = (structure(parameters, "p", "grad"), _data(data, active))
    signature = f"{arguments}{', slopes' if active else ''}"
    return generate(name, signature, [Term(function.__name__, function, args, bar=Leaf(bar, "bar"))])


def derive_data_pullback(
    function: Callable[..., Any], data: Mapping[str, Type], bar: Type, *, name: str, active: Collection[str]
) -> Generated:
    """Write ``pullback(d, bar, slopes)`` of a function of the data alone; as `derive_pullback`.

    Parameters
    ----------
    function : callable
        ``f(d)`` that returns an array.
    data : mapping
        `Type` of each field of ``d``.
    bar : Type
        Of `bar`.
    name : str
        Of the generated function.
    active : collection of str
        Fields of ``d`` that have a gradient.
    """
    term = Term(function.__name__, function, (_data(data, active),), bar=Leaf(bar, "bar"))
    return generate(name, "d, bar, slopes", [term])


def derive_call(
    function: Callable[..., Any], name: str, signature: str, args: Sequence[Any], sums: bool = False
) -> Generated:
    """Write ``name(*leaves, *gradients, *captured arrays)`` of a function that returns a number.

    Parameters
    ----------
    function : callable
        Takes `args`.
    name, signature : str
        The head of the function, without captured arrays.
    args : sequence of Leaf and Tuple
        Arguments of `function`, in terms of those in `signature`.
    sums : bool
        Whether it may return an array, whose sum counts.
    """
    term = Term(getattr(function, "__name__", "function"), function, tuple(args), sums=sums)
    return generate(name, signature, [term], is_call=True)


def derive_function(
    function: Callable[..., Any], args: Sequence[Any], *, name: str, arguments: str, label: str = ""
) -> Generated:
    """Write ``name(arguments)``, which returns what a function returns: for what Numba refuses as it is.

    Parameters
    ----------
    function : callable
        It returns a number or an array.
    args : sequence of Leaf and Tuple
        What it takes, in terms of `arguments`.
    name, arguments : str
        The head of the generated function.
    label : str
        What messages call the function. Default: by its name.

    Returns
    -------
    generated : Generated
        The function; its `kind` is the dtype of what it returns.
    """
    term = Term(label or function.__name__, function, tuple(map(_without_gradient, args)), whole=True)
    return generate(name, arguments, [term], gradient=False)
