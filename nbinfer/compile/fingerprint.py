"""A content hash of functions and everything they reach, so that stale machine code is never run.

Numba's own cache looks at the time stamp of one source file: it misses an edited helper in another file, a changed
constant, another value in a closure. The fingerprint looks at what would be compiled: bytecode, constants, defaults and
the values of closure cells and of globals, recursively. Names of files, line numbers, comments and layout do not count.
Hashing stops at NumPy, SciPy, Numba and the standard library (by name and version), and at nbinfer itself, which
`platform_tag` covers.
"""

from __future__ import annotations

import builtins
import dis
import enum
import functools
import hashlib
import logging
import os
import struct
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nbinfer.compile.objects import platform_tag

#: Packages that count by name and version.
_STOP = {"numpy", "scipy", "numba", "llvmlite", "nbinfer"} | set(sys.stdlib_module_names) - {"__main__"}
_STANDARD = os.path.dirname(os.__file__)

_LOAD_GLOBAL = {dis.opmap[name] for name in ("LOAD_GLOBAL", "LOAD_NAME") if name in dis.opmap}
_LOAD_ATTR = {dis.opmap[name] for name in ("LOAD_ATTR", "LOAD_METHOD") if name in dis.opmap}
_SHIFTED = {"LOAD_GLOBAL"} | ({"LOAD_ATTR"} if sys.version_info >= (3, 12) else set())
_SHIFT = {dis.opmap[name]: 1 for name in _SHIFTED}
_EXTENDED = dis.opmap["EXTENDED_ARG"]
_CACHE = dis.opmap.get("CACHE", 0)

_log = logging.getLogger(__name__)


class _Unhashable(Exception):
    """Something whose content cannot be known."""


def fingerprint(*things: Any) -> str:
    """Return a hash of the content of functions and values, 32 hexadecimal digits.

    Parameters
    ----------
    *things : object
        Functions, Numba dispatchers, arrays, numbers, strings, named tuples, dtypes, enums, dataclasses, classes, and
        tuples, lists, sets and mappings of them.

    Returns
    -------
    digest : str
        Equal in any process for equal content on the same platform. If something reached cannot be hashed, a fresh
        random number: whatever is filed under it is never found again.
    """
    return contents(*things)[0] or os.urandom(16).hex()


def contents(*things: Any) -> tuple[str | None, list[np.ndarray]]:
    """Return the fingerprint, None if something cannot be hashed, and the arrays that were reached, in order."""
    hasher = _Hasher()
    try:
        hasher.feed(platform_tag())
        hasher.feed(things)
    except (_Unhashable, RecursionError) as reason:
        _log.debug("compiled anew each time: %s", reason)
        return None, []
    return hasher.digest.hexdigest()[:32], [thing for thing in hasher.alive if isinstance(thing, np.ndarray)]


def _root(name: str | None) -> str:
    return (name or "").partition(".")[0]


def _stops(module: str | None, file: str) -> bool:
    """Tell whether functions of a module count by name: a user's module may bear a name of the standard library."""
    root = _root(module)
    if root not in _STOP:
        return False
    standard = root in sys.stdlib_module_names and root not in ("numpy", "scipy", "numba", "llvmlite", "nbinfer")
    return not standard or file.startswith((_STANDARD, "<frozen"))


def global_chains(code: types.CodeType) -> Iterator[tuple[str, ...]]:
    """List what a code object reads from its globals: names, each with the attributes taken from it directly."""
    chain: tuple[str, ...] = ()
    extended = 0
    for i in range(0, len(code.co_code), 2):
        op, arg = code.co_code[i], code.co_code[i + 1] | extended
        if op == _EXTENDED:
            extended = arg << 8
            continue
        extended = 0
        if op == _CACHE:
            continue
        if op in _LOAD_ATTR and chain:
            chain += (code.co_names[arg >> _SHIFT.get(op, 0)],)
            continue
        if chain:
            yield chain
        chain = (code.co_names[arg >> _SHIFT.get(op, 0)],) if op in _LOAD_GLOBAL else ()
    if chain:
        yield chain


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


class _Hasher:
    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self.alive: list[Any] = []  # ids stay unique while their objects live

    def tag(self, *words: object) -> None:
        self.digest.update("\0".join(map(str, words)).encode() + b"\1")

    def feed(self, thing: Any) -> None:
        """Take in one value, whatever it is."""
        kind = type(thing)
        if thing is None or thing is Ellipsis or kind in (bool, int, float, complex, str, bytes, range, slice):
            self.tag(kind.__name__, repr(thing))
            return
        if kind is tuple:  # whether two equal ones are one object says who made them: the compiler, or unpickling
            self.tag("sequence", "tuple", len(thing))
            for item in thing:
                self.feed(item)
            return
        if id(thing) in self._seen:
            self.tag("again", self._seen[id(thing)])
            return
        self._seen[id(thing)] = len(self._seen)
        self.alive.append(thing)
        if isinstance(thing, np.ndarray):
            self._array(thing)
        elif isinstance(thing, enum.Enum):
            self.tag("enum", thing.name)
            self.feed(type(thing))
            self.feed(thing.value)
        elif isinstance(thing, (tuple, list)):
            self.tag("sequence", kind.__name__, *getattr(thing, "_fields", ()), len(thing))
            for item in thing:
                self.feed(item)
        elif isinstance(thing, Mapping):
            self.tag("mapping", len(thing))
            for key, value in thing.items():
                self.feed(key)
                self.feed(value)
        elif isinstance(thing, (set, frozenset)):
            self.tag("set", *sorted(fingerprint(item) for item in thing))
        elif isinstance(thing, (np.generic, np.dtype)):
            self.tag(kind.__name__, repr(thing), thing.tobytes().hex() if isinstance(thing, np.generic) else "")
        elif isinstance(thing, types.CodeType):
            self._code(thing)
        else:
            self._object(thing)

    def _array(self, array: np.ndarray) -> None:
        self.tag("array", array.dtype.str, array.dtype.descr if array.dtype.names else "", array.shape)
        if array.dtype.hasobject:
            self.feed(array.tolist())
        else:
            self.digest.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")

    def _object(self, thing: Any) -> None:
        wrapped = getattr(thing, "py_func", None)
        where = getattr(wrapped if wrapped is not None else thing, "__module__", None)
        if isinstance(thing, types.ModuleType):
            self._foreign(_root(thing.__name__), thing.__name__)
        elif isinstance(thing, types.FunctionType):
            self._function(thing)
        elif wrapped is not None:  # a dispatcher of Numba's or a kernel
            options = getattr(thing, "targetoptions", None) or getattr(thing, "_options", None) or {}
            self.tag(
                "compiled", *sorted(f"{key}={sorted(v) if isinstance(v, set) else v}" for key, v in options.items())
            )
            self.feed(wrapped)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, (types.BuiltinFunctionType, types.MethodDescriptorType, np.ufunc)):
            self.tag("builtin", where, getattr(thing, "__qualname__", thing.__name__))
            self.feed(getattr(thing, "__self__", None) if not isinstance(thing, np.ufunc) else None)
        elif isinstance(thing, functools.partial):
            self.feed((thing.func, thing.args, thing.keywords))
        elif isinstance(thing, types.MethodType):
            self.feed((thing.__func__, thing.__self__))
        elif isinstance(thing, (staticmethod, classmethod)):
            self.feed(thing.__func__)
        elif isinstance(thing, property):
            self.feed((thing.fget, thing.fset))
        elif hasattr(type(thing), "__dataclass_fields__"):
            self.feed(type(thing))
            self.feed({name: getattr(thing, name, None) for name in thing.__dataclass_fields__})
        elif _root(type(thing).__module__) == "numba" and hasattr(thing, "name") and hasattr(thing, "mangling_args"):
            self.tag("type", repr(thing))
        elif _root(where) in _STOP - {"nbinfer"} and hasattr(thing, "__name__"):
            self._foreign(_root(where), f"{where}.{thing.__name__}")
        else:
            raise _Unhashable(f"a {type(thing).__module__}.{type(thing).__qualname__} cannot be hashed")

    def _foreign(self, root: str, name: str) -> None:
        if root not in _STOP:
            raise _Unhashable(f"the module {name} is used as a value")
        self.tag("foreign", name, getattr(sys.modules.get(root), "__version__", ""))

    def _function(self, function: types.FunctionType) -> None:
        if _stops(function.__module__, function.__code__.co_filename):
            self._foreign(_root(function.__module__), f"{function.__module__}.{function.__qualname__}")
            if _root(function.__module__) != "nbinfer":
                return
        self.feed(function.__code__)
        self.feed(function.__defaults__)
        self.feed(function.__kwdefaults__)
        self.feed(vars(function).get("__custom_vjp__"))
        for cell in function.__closure__ or ():
            try:
                self.feed(cell.cell_contents)
            except ValueError:
                self.tag("empty cell")
        if _root(function.__module__) == "nbinfer":
            return  # its globals are our sources, which platform_tag covers
        for chain in sorted({c for code in _nested(function.__code__) for c in global_chains(code)}):
            self._global(function.__globals__, chain)

    def _global(self, namespace: dict[str, Any], chain: tuple[str, ...]) -> None:
        self.tag("global", *chain)
        if chain[0] not in namespace:
            self.tag("builtin" if hasattr(builtins, chain[0]) else "undefined")
            return
        value = namespace[chain[0]]
        for name in chain[1:]:
            if not isinstance(value, types.ModuleType):
                break
            if not hasattr(value, name):
                self.tag("undefined")
                return
            value = getattr(value, name)
        self.feed(value)

    def _code(self, code: types.CodeType) -> None:
        self.tag("code", code.co_argcount, code.co_kwonlyargcount, code.co_flags, *code.co_names, *code.co_varnames)
        self.digest.update(code.co_code)
        self.digest.update(getattr(code, "co_exceptiontable", b""))
        self.feed(code.co_consts)

    def _class(self, kind: type) -> None:
        self.tag("class", kind.__module__, kind.__qualname__)
        if _root(kind.__module__) in _STOP:
            self._foreign(_root(kind.__module__), kind.__qualname__)
            return
        self.feed(kind.__bases__)
        if issubclass(kind, enum.Enum):
            self.feed({name: member.value for name, member in kind.__members__.items()})
            return
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            self.feed((kind._fields, getattr(kind, "_field_defaults", {})))
            return
        written = getattr(kind, "__dataclass_fields__", None)
        self.tag("fields", *(written or ()))
        for name, value in vars(kind).items():
            # What dataclasses write for us follows from the fields.
            if name in _UNSEEN or (written is not None and (name.startswith("__dataclass") or _is_typed(value))):
                continue
            self.tag("member", name)
            self.feed(value)


#: Attributes of classes that say nothing of what methods do.
_UNSEEN = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"}
_UNSEEN |= {"__annotations__", "__annotate_func__", "__annotations_cache__", "__match_args__", "__abstractmethods__"}


def _is_typed(value: Any) -> bool:
    code = getattr(value, "__code__", None)
    return code is not None and code.co_filename == "<string>"


def file_digest(*parts: str | bytes | int) -> str:
    """Hash a few strings into a file name."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else struct.pack("<q", part) if isinstance(part, int) else part
        digest.update(struct.pack("<q", len(content)) + content)
    return digest.hexdigest()[:32]
