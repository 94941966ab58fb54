"""Plain arrays of what users hand over as data: lists, columns and tables of pandas and its like, masked arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import ModelError

#: What data become, by the kind of NumPy's dtype.
KINDS = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}
_REMEDIES = {
    "U": "convert it to numbers",
    "S": "convert it to numbers",
    "T": "convert it to numbers",
    "c": "pass its real and imaginary parts as two entries",
    "M": "make numbers of it, for example days since a date: ({0} - {0}[0]) / np.timedelta64(1, 'D')",
    "m": "make numbers of it: {0} / np.timedelta64(1, 'D')",
    "V": "pass each field as an entry of its own",
}


def plain_array(name: str, value: Any) -> NDArray[Any]:
    """Return what a user hands over as an array of numbers of any kind; elements that lack a value are NaN.

    Parameters
    ----------
    name : str
        Of the entry, for messages.
    value : array_like
        Number, array, nested list, Series or DataFrame of numbers, or whatever else has ``__array__``.

    Raises
    ------
    ModelError
        If it is masked, or not made of real numbers.
    """
    if is_masked(value):
        _check_mask(name, value)
        value = value.data
    _check_kind(name, value)
    array = _read(name, value)
    if array.dtype.kind == "O":
        array = _of_objects(name, value, array)
    if array.dtype.kind not in KINDS:
        text = array.size and array.dtype.kind in "UST"
        got = _shown(array.ravel()[0].item()) if text else f"dtype {array.dtype}"
        remedy = _of_text(name, array.ravel()[0]) if text else _REMEDIES[array.dtype.kind].format(name)
        raise ModelError(f"data {name!r} must be real numbers, integers or booleans, got {got}; {remedy}")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise _too_large(name, array.max())
    return array


def check_nan(name: str, array: NDArray[Any], place: Callable[[tuple[int, ...]], str] = "index {}".format) -> None:
    """Raise ModelError if there is NaN in an entry; `place` says in words where an element is."""
    if array.dtype.kind == "f" and np.isnan(array).any():
        first = place(tuple(int(i) for i in np.argwhere(np.isnan(array))[0]))
        count = int(np.isnan(array).sum())
        raise ModelError(
            f"data {name!r} must not hold NaN, got {count}, the first at {first}. Remove them; impute them, "
            f"{_to_impute(name, array[~np.isnan(array)])}; or if the density handles them, allow them with "
            f"Model(..., allow_nan=[{name!r}])"
        )


def is_masked(value: Any) -> bool:
    """Tell whether something is a masked array, be it without masked elements."""
    return isinstance(value, np.ndarray) and hasattr(value, "mask")  # np.ma takes 8 ms to import


def is_pandas(value: Any) -> bool:
    """Tell whether something is a Series or a DataFrame of pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "to_numpy")


def is_table(value: Any) -> bool:
    """Tell whether something has named columns, like a DataFrame of pandas or polars."""
    return hasattr(value, "columns") and hasattr(value, "to_numpy") and not isinstance(value, Mapping)


def columns_of(table: Any) -> dict[str, Any]:
    """Return the columns of a table by name."""
    names = list(table.columns)
    twice = sorted({repr(name) for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"the columns of a table must have names of their own, got {', '.join(twice)} more than once")
    return {name: table[name] for name in names}


def is_gap(element: Any) -> bool:
    """Tell whether an object stands for nothing: None, NaN, pandas.NA."""
    if element is None or type(element).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(element, float | np.floating) and bool(np.isnan(element))


def type_name(value: Any) -> str:
    """Return what the class of a value is called."""
    return type(value).__name__


def _check_mask(name: str, value: Any) -> None:
    hidden = np.ma.getmaskarray(value)
    if hidden.any():
        raise ModelError(
            f"data {name!r} must not be masked, got {hidden.sum()} masked elements, the first at index "
            f"{tuple(int(i) for i in np.argwhere(hidden)[0])}. Have them imputed, "
            f"{_to_impute(name, value.data[~hidden])}; or pass the observed values alone, {name}.compressed()"
        )


def _to_impute(name: str, there: NDArray[Any]) -> str:
    """Write how to have missing values imputed, by the values that are there."""
    if there.size == 0 or there.dtype.kind not in "iuf" or not (there == np.round(there)).all():
        return f"Model(..., missing={{{name!r}: nb.real()}}) or another support"
    return f"Model(..., missing={{{name!r}: nb.integer(lo, hi)}}) if they are counts, nb.real() if they are not"


def _check_kind(name: str, value: Any) -> None:
    """Refuse what no array can be made of."""
    if value is None:
        raise ModelError(f"data {name!r} must be an array or a number, got None; pass its values, or leave it out")
    if hasattr(value, "__next__"):
        raise ModelError(f"data {name!r} must be an array or a number, got an iterator; pass nb.generator({name})")
    if hasattr(value, "_asdict") or isinstance(value, Mapping):
        raise ModelError(
            f"data {name!r} must be an array or a number, got {type_name(value)}; make each field an entry"
        )
    if is_table(value) and any(getattr(d, "kind", "O") not in KINDS for d in _dtypes(value)):
        raise ModelError(
            f"data {name!r} must be real numbers, got a {type_name(value)} with other columns; pass data={name}, then "
            f"each column is an entry, or a matrix of some of them, {name}[['a', 'b']]"
        )
    if hasattr(value, "toarray"):
        raise ModelError(
            f"data {name!r} must be an array, got the sparse {type_name(value)}; pass {name}.toarray(), or of "
            f"{name}.tocsr() the data, the indices and the indptr as three entries"
        )
    if callable(value):
        raise ModelError(f"data {name!r} must be an array or a number, got the function {value!r}; call it")
    if isinstance(value, Iterable) and not hasattr(value, "__array__") and not hasattr(value, "__getitem__"):
        raise ModelError(f"data {name!r} must be an array or a number, got {type_name(value)}; pass list({name})")


def _dtypes(value: Any) -> list[Any]:
    """Return the dtypes of a Series, or of the columns of a table."""
    dtypes = getattr(value, "dtypes", ())
    return list(dtypes) if is_table(value) else [value.dtype]


def _read(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        lengths = _lengths(value)
        if len(lengths) < 2:
            raise ModelError(f"data {name!r} must be an array of numbers, got {type_name(value)} ({error})") from None
        raise ModelError(
            f"data {name!r} must be an array of numbers, got rows of different lengths, {lengths[0]} and {lengths[1]}; "
            f"pass all values one after the other, np.concatenate({name}), and which row each belongs to, "
            f"np.repeat(np.arange(len({name})), [len(row) for row in {name}])"
        ) from None
    if not is_pandas(value) or array.dtype.kind != "O":
        return array
    kinds = {getattr(dtype, "kind", "O") for dtype in _dtypes(value)}
    if not kinds <= set(KINDS):
        return array
    if np.any(value.isna()):  # columns that may lack values: pandas.NA becomes NaN
        return np.asarray(value.to_numpy(dtype=np.float64, na_value=np.nan))
    target = np.bool_ if kinds == {"b"} else np.int64 if kinds <= {"i", "u"} else np.float64
    return np.asarray(value.to_numpy(dtype=target))


def _lengths(value: Any) -> list[int]:
    """Return the different lengths of what a sequence consists of."""
    rows = value if isinstance(value, list | tuple) else ()
    return sorted({len(row) if hasattr(row, "__len__") else 1 for row in rows})


def _of_objects(name: str, value: Any, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of objects as one of numbers; None and pandas.NA are NaN."""
    elements = array.ravel().tolist()
    there = [element for element in elements if not is_gap(element)]
    odd = next((element for element in there if not isinstance(element, int | float | np.number | np.bool_)), None)
    if odd is not None:
        raise ModelError(
            f"data {name!r} must be real numbers, integers or booleans, got {_shown(odd)}; {_of_odd(name, value, odd)}"
        )
    if len(there) < len(elements):
        return np.array([np.nan if is_gap(element) else float(element) for element in elements]).reshape(array.shape)
    plain = np.array(there).reshape(array.shape)
    if plain.dtype.kind == "O":
        raise _too_large(name, max(there, key=abs))
    return plain


def _of_odd(name: str, value: Any, odd: Any) -> str:
    """Say what to do with what holds objects."""
    if getattr(getattr(value, "dtype", None), "name", "") == "category":
        return f"pass the codes of its categories, {name}.cat.codes"
    if isinstance(odd, str | bytes):
        return _of_text(name, odd)
    if hasattr(odd, "toordinal"):
        return f"make numbers of it, for example days: [day.toordinal() for day in {name}]"
    if hasattr(odd, "__float__"):
        return f"convert it, np.array({name}, float)"
    return "convert it to numbers first"


def _of_text(name: str, text: Any) -> str:
    """Say how texts become numbers."""
    try:
        float(text)
    except ValueError:
        return f"make integer codes of it, names, {name} = np.unique({name}, return_inverse=True)"
    return f"convert it, np.array({name}, float)"


def _too_large(name: str, value: Any) -> ModelError:
    return ModelError(f"data {name!r} must fit int64, got {int(value)}; convert it to float64")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type_name(value)} {text if len(text) <= 40 else text[:37] + '...'}"
