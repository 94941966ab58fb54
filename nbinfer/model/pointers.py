"""C functions and their contexts, in the disguises that Python knows."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from nbinfer.compile import address_of
from nbinfer.errors import ModelError

#: The C function of a density: pointers are integers here, and the same words to the processor.
PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_ssize_t)
_C_FUNCTION: Any = PROTOTYPE.__base__


def c_address(f: Any) -> int | None:
    """Return the address of a C function in one of its Python disguises; None if `f` is none."""
    if type(f).__name__ == "LowLevelCallable" and hasattr(f, "user_data"):
        return c_address(f.function) if f.function is not None else _capsule_address(f[0])
    if isinstance(f, _C_FUNCTION):
        return ctypes.cast(f, ctypes.c_void_p).value
    if type(f).__module__ == "_cffi_backend":
        import _cffi_backend  # type: ignore[import-untyped]

        return int(_cffi_backend.FFI().cast("intptr_t", f))
    if type(f).__name__ == "PyCapsule":
        return _capsule_address(f)
    if hasattr(f, "native_name") and hasattr(f, "ctypes"):  # numba.cfunc
        return int(f.address)
    return None


def tests_null(f: Any) -> bool:
    """Whether a function can see that `grad` is null: code of Numba's cannot, if it declares a pointer."""
    arguments: tuple[Any, ...] = getattr(getattr(f, "_sig", None), "args", ())
    return len(arguments) != 4 or type(arguments[2]).__name__ != "CPointer"


def _capsule_address(capsule: Any) -> int:
    api = ctypes.pythonapi
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))(capsule)
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", api))
    return int(get(capsule, name))


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
    if type(context).__module__ == "_cffi_backend":
        import _cffi_backend

        return int(_cffi_backend.FFI().cast("intptr_t", context))
    if isinstance(context, ctypes.Array | ctypes.Structure):
        return ctypes.addressof(context)
    try:
        return ctypes.cast(context, ctypes.c_void_p).value or 0
    except (ctypes.ArgumentError, TypeError):
        got = type(context).__name__
        raise ModelError(f"context must be an address, a ctypes or cffi pointer or an array, got {got}") from None
