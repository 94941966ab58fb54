"""C functions and their contexts, in the disguises that Python knows."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile import address_of, objects, pool
from nbinfer.errors import ModelError

#: The C function of a density: pointers are integers here, and the same words to the processor.
PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_ssize_t)
_C_FUNCTION: Any = PROTOTYPE.__base__

#: Names of types, as ctypes, Numba and C have them. A pointer may be declared as a whole number of its size.
_DOUBLE = re.compile(r"double|float64|c_double")
_INTEGER = re.compile(
    r"(c_)?u?int(\d+|ptr|p)?(_t)?|(c_)?s?size_t|(c_)?u?(long|longlong)|(unsigned )?(int|long|long long)|c_ssize_t"
)
_NARROW = re.compile(r"(c_)?u?int(8|16|32)?(_t)?|unsigned int")


def c_address(f: Any) -> int | None:
    """Return the address of a C function in one of its Python disguises; None if `f` is none."""
    if _is_low_level_callable(f):
        return c_address(f.function)
    if isinstance(f, _C_FUNCTION):
        return ctypes.cast(f, ctypes.c_void_p).value or 0
    if _is_cffi(f):
        import _cffi_backend  # type: ignore[import-untyped]

        return int(_cffi_backend.FFI().cast("intptr_t", f))
    if type(f).__name__ == "PyCapsule":
        return _capsule_address(f)
    if _is_cfunc(f):
        text = f.inspect_llvm() if hasattr(f, "inspect_llvm") else ""
        return objects.load_text(f.native_name, text, pool.FUNCTIONS) if pool.enters(text) else int(f.address)
    return None


def _is_low_level_callable(f: Any) -> bool:
    return type(f).__name__ == "LowLevelCallable" and hasattr(f, "user_data")


def _is_cffi(f: Any) -> bool:
    return type(f).__module__ == "_cffi_backend"


def _is_cfunc(f: Any) -> bool:
    """Tell whether something is a ``numba.cfunc``."""
    return hasattr(f, "native_name") and hasattr(f, "ctypes")


def knows_null(f: Any) -> bool:
    """Whether a function may be asked for the value alone, by a null `grad`.

    A function in a library was written for it. One that was made while Python runs may be Numba's, which cannot look
    whether a pointer is null, under any disguise: it may if it declares a whole number.
    """
    if _is_low_level_callable(f):
        return knows_null(f.function)
    found = signature(f)
    if found is not None and len(found) == 5 and _INTEGER.fullmatch(found[3]):
        return True
    return not _is_cfunc(f) and _is_in_library(c_address(f) or 0)


def _is_in_library(address: int) -> bool:
    if os.name == "nt":
        handle = ctypes.c_void_p()
        of_address, no_count = 4, 2
        kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
        return bool(kernel.GetModuleHandleExW(of_address | no_count, ctypes.c_void_p(address), ctypes.byref(handle)))
    found = (ctypes.c_void_p * 4)()
    return bool(ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), found))


def signature(f: Any) -> list[str] | None:
    """Return the names of the types that a C function returns and takes; None where nothing tells them."""
    if _is_low_level_callable(f):
        return signature(f.function)
    if isinstance(f, _C_FUNCTION):
        if f.argtypes is None:  # a function of a library of which nothing was said
            return None
        return [_ctypes_name(kind) for kind in (f.restype, *f.argtypes)]
    if _is_cfunc(f):
        types = getattr(f, "_sig", None)
        return None if types is None else [str(types.return_type), *map(str, types.args)]
    if _is_cffi(f):
        import _cffi_backend

        kind = _cffi_backend.FFI().typeof(f)
        kind = kind.item if kind.kind == "pointer" else kind
        if kind.kind == "function":
            return [kind.result.cname, *(a.cname for a in kind.args)]
        return None if kind.cname == "void" else [kind.cname]
    if type(f).__name__ == "PyCapsule":
        found = re.fullmatch(r"\s*([^()]+?)\s*\(([^()]*)\)\s*", (_capsule_name(f) or b"").decode())
        return None if found is None else [found[1], *(part.strip() for part in found[2].split(","))]
    return None


def _ctypes_name(kind: Any) -> str:
    name = "void" if kind is None else str(kind.__name__)
    return "void *" if name == "c_void_p" else name[3:] + " *" if name.startswith("LP_") else name


def check_signature(f: Any) -> None:
    """Require the signature of a density, as far as something tells it: another one would read and write anywhere."""
    found = signature(f)
    if found is None:
        return
    names = [" ".join(name.replace("const", "").split()) for name in found]
    if len(names) != 5 or not all(fits(name) for fits, name in zip(_FITS, names, strict=True)):
        raise ModelError(
            "f must be a C function double f(int64_t n, const double *q, double *grad, void *context), got "
            + (f"{found[0]} f({', '.join(found[1:])})" if found[1:] else f"a pointer to {found[0]}")
        )


def _is_doubles(name: str) -> bool:
    base = name.rstrip("* ")
    return _is_word(name) or (name.endswith("*") and (base == "void" or bool(_DOUBLE.fullmatch(base))))


def _is_word(name: str) -> bool:
    return bool(_INTEGER.fullmatch(name)) and not _NARROW.fullmatch(name)


_FITS: tuple[Callable[[str], bool], ...] = (
    lambda name: bool(_DOUBLE.fullmatch(name)),
    lambda name: bool(_INTEGER.fullmatch(name)),
    _is_doubles,
    _is_doubles,
    lambda name: name.endswith("*") or _is_word(name),
)


def _capsule_name(capsule: Any) -> bytes | None:
    api: Any = ctypes.pythonapi
    name: Any = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    return name(capsule)  # type: ignore[no-any-return]


def _capsule_address(capsule: Any) -> int:
    api = ctypes.pythonapi
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", api))
    return int(get(capsule, _capsule_name(capsule)))


def pointer(context: Any) -> int:
    """Return a user's pointer as an integer."""
    if context is None:
        return 0
    if isinstance(context, (str, bytes)):
        raise ModelError(f"context must be an address, a ctypes or cffi pointer or an array, got {context!r}")
    if isinstance(context, (int, np.integer)):
        return int(context)
    if isinstance(context, np.ndarray):
        return address_of(context)
    if type(context).__name__ == "PyCapsule":
        return _capsule_address(context)
    if _is_cffi(context):
        import _cffi_backend

        return int(_cffi_backend.FFI().cast("intptr_t", context))
    if isinstance(context, ctypes.Array | ctypes.Structure):
        return ctypes.addressof(context)
    try:
        return ctypes.cast(context, ctypes.c_void_p).value or 0
    except (ctypes.ArgumentError, TypeError):
        got = type(context).__name__
        raise ModelError(f"context must be an address, a ctypes or cffi pointer or an array, got {got}") from None
