"""A content hash of functions and everything they reach, so that stale machine code is never run.

Numba's own cache looks at the time stamp of one source file: it misses an edited helper in another file, a changed
constant, another value in a closure. The fingerprint looks at what would be compiled: bytecode, constants, defaults and
the values of closure cells and of globals, recursively, with what users have taught Numba of these. Names of files,
line numbers, comments, docstrings and layout do not count. Hashing stops at objects that belong (see
`nbinfer.compile.origin`) to NumPy, SciPy, Numba and the standard library, which their versions stand for, and to
nbinfer itself, for which the text of their module counts with all that it imports.
"""

from __future__ import annotations

import builtins
import collections
import contextlib
import dis
import enum
import functools
import hashlib
import logging
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nbinfer.compile.extensions import EXTENSIONS
from nbinfer.compile.keys import module_name, platform_tag, version
from nbinfer.compile.numba_internals import made_of
from nbinfer.compile.origin import home
from nbinfer.compile.python_functions import is_compiled, python_function

_LOAD_GLOBAL = {dis.opmap[name] for name in ("LOAD_GLOBAL", "LOAD_NAME") if name in dis.opmap}
_LOAD_ATTR = {dis.opmap[name] for name in ("LOAD_ATTR", "LOAD_METHOD") if name in dis.opmap}
_SHIFTED = {"LOAD_GLOBAL"} | ({"LOAD_ATTR"} if sys.version_info >= (3, 12) else set())
_SHIFT = {dis.opmap[name]: 1 for name in _SHIFTED}
_EXTENDED = dis.opmap["EXTENDED_ARG"]
_CACHE = dis.opmap.get("CACHE", 0)
_CONST = frozenset(dis.hasconst)

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


def written(thing: Any) -> str | None:
    """Return a hash of what a function's author wrote, whatever the tools' versions are; None if it cannot be known.

    Bytecode is another one in another minor version of Python.
    """
    hasher = _Hasher(versions=False)
    try:
        hasher.feed(thing)
    except (_Unhashable, RecursionError) as reason:
        _log.debug("its content is not known: %s", reason)
        return None
    return hasher.digest.hexdigest()[:32]


def contents(*things: Any) -> tuple[str | None, list[np.ndarray]]:
    """Return the fingerprint, None if something cannot be hashed, and the arrays that were reached, in order."""
    hasher = _Hasher()
    try:
        hasher.feed(platform_tag())
        hasher.feed(things)
        hasher.feed_extensions()
    except (_Unhashable, RecursionError) as reason:
        _log.debug("compiled anew each time: %s", reason)
        return None, []
    return hasher.digest.hexdigest()[:32], [thing for thing in hasher.alive if isinstance(thing, np.ndarray)]


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


def nested(code: types.CodeType) -> list[types.CodeType]:
    """Return a code object and those of the functions defined in it."""
    inner = [part for constant in code.co_consts if isinstance(constant, types.CodeType) for part in nested(constant)]
    return [code, *inner]


def _has_docstring(code: types.CodeType) -> bool:
    """Tell whether the first constant is a text that no instruction loads."""
    if not code.co_consts or not isinstance(code.co_consts[0], str):
        return False
    return not any(i.arg == 0 for i in dis.get_instructions(code) if i.opcode in _CONST)


class _Hasher:
    def __init__(self, versions: bool = True) -> None:
        self._versions, self._hashed = versions, fingerprint if versions else written
        self.digest = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self.alive: list[Any] = []  # ids stay unique while their objects live
        self._extensions = EXTENSIONS.update()
        self._names: set[str] = set()

    def tag(self, *words: object) -> None:
        self.digest.update("\0".join(map(str, words)).encode() + b"\1")

    def feed_extensions(self) -> None:
        """Take in the users' implementations of methods and attributes that occur by name, and of operators."""
        known: set[str] = set()
        for implementation in self._extensions.always:
            # Nearly always of types that this code does not meet: it counts as far as it can be known.
            with contextlib.suppress(_Unhashable):
                self.feed(implementation)
        while found := sorted((self._names - known) & set(self._extensions.names)):
            known |= self._names
            for name in found:
                self.tag("extension", name)
                self.feed(self._extensions.names[name])

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
            self._kind(kind, (tuple, list))
            for item in thing:
                self.feed(item)
        elif isinstance(thing, Mapping):
            self.tag("mapping", len(thing))
            self._kind(kind, (dict, types.MappingProxyType))
            for key, value in thing.items():
                self.feed(key)
                self.feed(value)
        elif isinstance(thing, (set, frozenset)):
            self.tag("set", *sorted(str(self._hashed(item)) for item in thing))
        elif isinstance(thing, (np.generic, np.dtype)):
            self.tag(kind.__name__, repr(thing), thing.tobytes().hex() if isinstance(thing, np.generic) else "")
        elif isinstance(thing, types.CodeType):
            self._code(thing)
        else:
            self._object(thing)

    def _kind(self, kind: type, usual: tuple[type, ...]) -> None:
        """Take in the class of a container, unless it is the usual one."""
        if kind not in usual:
            self.feed(kind)

    def _array(self, array: np.ndarray) -> None:
        self.tag("array", array.dtype.str, array.dtype.descr if array.dtype.names else "", array.shape)
        self._kind(type(array), (np.ndarray,))
        if hasattr(array, "_mask"):
            raise _Unhashable("a masked array cannot be hashed")
        if array.dtype.hasobject:
            self.feed(array.tolist())
        else:
            self.digest.update(np.ascontiguousarray(array).view(np.ndarray).view(np.uint8).data if array.size else b"")

    def _object(self, thing: Any) -> None:
        for extension in self._extensions.objects.get(id(thing), ()):
            self.feed(extension)
        if isinstance(thing, types.FunctionType):
            self._function(thing)
        elif is_compiled(thing):
            options = getattr(thing, "targetoptions", None) or getattr(thing, "_options", None) or {}
            self.tag(
                "compiled", *sorted(f"{key}={sorted(v) if isinstance(v, set) else v}" for key, v in options.items())
            )
            self.feed(python_function(thing))
        elif isinstance(thing, type):
            self._class(thing)
        elif type(thing) in _MADE_OF:
            self.tag(type(thing).__name__)
            self.feed(_MADE_OF[type(thing)](thing))
        elif (root := home(thing)) or (isinstance(thing, np.ufunc) and (root := _home_of_ufunc(thing))):
            self._foreign(root, thing)
        elif isinstance(thing, (types.BuiltinFunctionType, *_DESCRIPTORS)):
            self.tag("builtin", thing.__name__)
            owner = getattr(thing, "__objclass__", None) or getattr(thing, "__self__", None)
            self.feed((type(owner), owner))
        elif (parts := made_of(thing)) is not None:
            self.feed(parts)
        elif hasattr(type(thing), "__dataclass_fields__"):
            self.feed(type(thing))
            self.feed({name: getattr(thing, name, None) for name in thing.__dataclass_fields__})
        else:
            name = f"{type(thing).__module__}.{type(thing).__qualname__}"
            if self._versions:
                raise _Unhashable(f"a {name} cannot be hashed")
            self.tag("unknown", name)  # all else that its author wrote counts

    def _foreign(self, root: str, thing: Any) -> None:
        """Take in what belongs to a package: by name, and by what stands for the package's text."""
        name = getattr(thing, "__qualname__", None) or thing.__name__
        self.tag("foreign", root, getattr(thing, "__module__", ""), name)
        self._version(root, thing)

    def _version(self, root: str, thing: Any) -> None:
        if self._versions:
            self.tag(version(root, module_name(thing)))

    def _function(self, function: types.FunctionType) -> None:
        root = home(function)
        if root and _is_member(function):
            self._foreign(root, function)
            return
        self.tag("function", root)
        self._version(root, function)
        self.feed(function.__code__)
        self.feed(function.__defaults__)
        self.feed(function.__kwdefaults__)
        self.feed(vars(function).get("__custom_vjp__"))
        for cell in function.__closure__ or ():
            try:
                self.feed(cell.cell_contents)
            except ValueError:
                self.tag("empty cell")
        if root:
            return  # its globals are the package's
        for chain in sorted({c for code in nested(function.__code__) for c in global_chains(code)}):
            self._global(function.__globals__, chain)

    def _global(self, namespace: dict[str, Any], chain: tuple[str, ...]) -> None:
        self.tag("global", *chain)
        if chain[0] not in namespace and not hasattr(builtins, chain[0]):
            self.tag("undefined")
            return
        value = namespace[chain[0]] if chain[0] in namespace else getattr(builtins, chain[0])
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
        self.tag(*code.co_freevars, "", *code.co_cellvars)
        self._names.update(code.co_names)
        self.digest.update(code.co_code)
        self.digest.update(getattr(code, "co_exceptiontable", b""))
        self.feed((None, *code.co_consts[1:]) if _has_docstring(code) else code.co_consts)

    def _class(self, kind: type) -> None:
        if root := home(kind):
            self._foreign(root, kind)
            return
        self.tag("class", kind.__qualname__)
        self._kind(type(kind), (type,))
        self.feed(kind.__bases__)
        if issubclass(kind, enum.Enum):
            self.feed({name: member.value for name, member in kind.__members__.items()})
            return
        fields = getattr(kind, "_fields", None) if issubclass(kind, tuple) else None
        if fields is not None:
            self.feed((fields, getattr(kind, "_field_defaults", {})))
        written = getattr(kind, "__dataclass_fields__", None)
        self.tag("fields", *(written or ()))
        for name, value in vars(kind).items():
            # What dataclasses and named tuples write for us follows from the fields.
            if name in _UNSEEN or (written is not None and (name.startswith("__dataclass") or _is_typed(value))):
                continue
            if fields is not None and (name in _OF_TUPLES or name in fields):
                continue
            self.tag("member", name)
            self.feed(value)


#: Attributes of classes that say nothing of what methods do.
_UNSEEN = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"}
_UNSEEN |= {
    "__annotations__",
    "__annotate_func__",
    "__annotations_cache__",
    "__match_args__",
    "__abstractmethods__",
    "_abc_impl",
}


_OF_TUPLES = {*vars(collections.namedtuple("_", "")), "__orig_bases__"}

#: What is made of other things, and of which.
_MADE_OF: dict[type, Callable[[Any], Any]] = {
    functools.partial: lambda thing: (thing.func, thing.args, thing.keywords),
    types.MethodType: lambda thing: (thing.__func__, thing.__self__),
    staticmethod: lambda thing: thing.__func__,
    classmethod: lambda thing: thing.__func__,
    property: lambda thing: (thing.fget, thing.fset),
}
_DESCRIPTORS = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
)


def _home_of_ufunc(function: np.ufunc) -> str:
    """Return the package of a universal function, which does not tell its module in all versions of NumPy."""
    modules = {"numpy": np, "scipy": sys.modules.get("scipy.special")}
    return next((root for root, m in modules.items() if getattr(m, function.__name__, None) is function), "")


def _is_member(function: types.FunctionType) -> bool:
    """Tell whether a function is what its module holds under its name; others of that name may be made in it."""
    return getattr(sys.modules.get(function.__module__ or ""), function.__qualname__, None) is function


def _is_typed(value: Any) -> bool:
    code = getattr(value, "__code__", None)
    return code is not None and code.co_filename == "<string>"
