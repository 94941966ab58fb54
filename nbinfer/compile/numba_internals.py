"""Everything of Numba that its documentation does not promise, in one place: another version may differ in it.

Outside of this file the package uses ``numba.njit``, ``numba.extending``, ``numba.types`` and their like. Nothing here
imports Numba before something is compiled: names are looked up when they are asked for, and what looks at objects that
may be Numba's asks for `loaded` names, which a process that has not imported Numba does not have.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nbinfer.whole import uninterrupted

#: Names that others import from here, and where Numba has them.
HOMES = {
    # to write code
    "cgutils": "numba.core.cgutils",
    "empty_array": "numba.np.arrayobj._empty_nd_impl",
    "impl_ret_borrowed": "numba.core.imputils.impl_ret_borrowed",
    "npy_rng": "numba.core.types.npy_rng",
    "bit_generator_type": "numba.np.random.generator_core._bit_gen_type",
    "shape_of": "numba.np.arrayobj._parse_shape",
    # to read functions
    "build_definitions": "numba.core.ir_utils.build_definitions",
    "ir": "numba.core.ir",
    "reconstruct_ssa": "numba.core.ssa.reconstruct_ssa",
    "run_frontend": "numba.core.compiler.run_frontend",
    # to compile
    "BaseFunction": "numba.core.types.functions.BaseFunction",
    "CFunc": "numba.core.ccallback.CFunc",
    "CompileResult": "numba.core.compiler.CompileResult",
    "compiler_lock": "numba.core.compiler_lock.global_compiler_lock",
    "lowering_registry": "numba.core.imputils.builtin_registry",
    "normalize_signature": "numba.core.sigutils.normalize_signature",
    "typing_registry": "numba.core.typing.templates.builtin_registry",
    # to compile it faster
    "Inst": "numba.core.ir.Inst",
    "InlineClosureCallPass": "numba.core.inline_closurecall.InlineClosureCallPass",
    "LLVMType": "llvmlite.ir.types.Type",
    "Lower": "numba.core.lowering.Lower",
    "NRTContext": "numba.core.runtime.context.NRTContext",
    "PostProcessor": "numba.core.postproc.PostProcessor",
    "TargetConfig": "numba.core.targetconfig.TargetConfig",
    "TypingContext": "numba.core.typing.context.BaseContext",
    "VariableLifetime": "numba.core.postproc.VariableLifetime",
    "base": "numba.core.base",
    "canonicalize_cfg": "numba.core.transforms.canonicalize_cfg",
    "errors": "numba.core.errors",
    "events": "numba.core.event",
    "intrinsic_template": "numba.core.typing.templates._IntrinsicTemplate",
    "lowering": "numba.core.lowering",
    "overload_template": "numba.core.typing.templates._OverloadFunctionTemplate",
    "ssa": "numba.core.ssa",
    "typeinfer": "numba.core.typeinfer",
    # to know what something is
    "Dispatcher": "numba.core.dispatcher.Dispatcher",
    "DUFunc": "numba.np.ufunc.dufunc.DUFunc",
    "Intrinsic": "numba.core.extending._Intrinsic",
    "NumbaError": "numba.core.errors.NumbaError",
    "Type": "numba.core.types.Type",
    "TypingError": "numba.core.errors.TypingError",
}
#: What was imported or registered, by what does it.
_KNOWN: dict[Callable[[], Any], Any] = {}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = HOMES[name].rpartition(".")
    imported()
    return getattr(importlib.import_module(module), attribute)


def imported() -> Any:
    """Return Numba, which Ctrl-C leaves imported whole or not at all.

    Imported by halves it compiles nothing more in this process: what its modules register is registered twice then, or
    lost.
    """
    return _once(_import)


def ready() -> Any:
    """Return Numba once it knows what its modules have registered; that takes as long as the import."""
    imported()
    return _once(_register)


def _once(get: Callable[[], Any]) -> Any:
    if get not in _KNOWN:
        lock = loaded("compiler_lock")
        if lock is not None and lock.is_locked():  # by this thread: another one would wait for it forever
            _KNOWN.setdefault(get, get())
        else:
            uninterrupted(lambda: _KNOWN.setdefault(get, get()))
    return _KNOWN[get]


def _import() -> Any:
    for home in HOMES.values():
        importlib.import_module(home.rpartition(".")[0])
    return importlib.import_module("numba")


def _register() -> Any:
    target = importlib.import_module("numba.core.registry").cpu_target
    with __getattr__("compiler_lock"):  # another thread may be about to do the same
        target.typing_context.refresh()
        target.target_context.refresh()
    return importlib.import_module("numba")


def loaded(name: str) -> Any:
    """Return one of these names if Numba has been imported so far that it is there; else None."""
    module, _, attribute = HOMES[name].rpartition(".")
    return getattr(sys.modules.get(module), attribute, None)


def is_a(thing: Any, name: str) -> bool:
    """Tell whether something is an instance of one of these classes, without importing Numba."""
    return isinstance(thing, loaded(name) or ())


def folder() -> Path:
    """Return the folder of the package."""
    spec = importlib.util.find_spec("numba")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def version_text() -> bytes:
    """Return what tells Numba's version, to the commit."""
    return (folder() / "_version.py").read_bytes()


# ---- compiling


class _Uncached:
    """Stand in for Numba's cache; nothing is ever found in it."""

    def load_overload(self, signature: Any, context: Any) -> None:
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        return None


class CFunction:
    """A C function compiled by Numba.

    Attributes
    ----------
    symbol : str
        Its name in the object file.
    externals : list of str
        What the object file asks for.
    portable : bool
        Whether the code means anything in another process. Large global arrays and ctypes functions become addresses
        of this one, valid while the CFunction lives.
    """

    def __init__(self, function: Callable[..., Any], signature: str, options: dict[str, Any]) -> None:
        compiled: Any = __getattr__("CFunc")(function, __getattr__("normalize_signature")(signature), {}, options)
        # Numba's own cache would notice neither an edited helper nor a changed constant.
        compiled._cache = _Uncached()
        codegen = compiled._targetdescr.target_context.codegen()
        with __getattr__("compiler_lock"), _only_linked(codegen):
            compiled.compile()
        self._compiled, self._library = compiled, compiled._library
        self.symbol: str = compiled.native_name
        declared = (f.name for f in self._library._final_module.functions if f.is_declaration)
        self.externals = sorted(name for name in declared if not name.startswith("llvm."))
        self.portable = not self._library.has_dynamic_globals

    @property
    def code(self) -> bytes:
        """The object file."""
        return bytes(self._library._get_compiled_object())

    @property
    def text(self) -> str:
        """The code as LLVM writes it."""
        return str(self._library._final_module)


@contextlib.contextmanager
def _only_linked(codegen: Any) -> Iterator[None]:
    """Make machine code of nothing but what an address is asked for: all else is linked into its callers."""
    before = codegen._library_class
    codegen._library_class = _linked_class(before)
    try:
        yield
    finally:
        codegen._library_class = before


@functools.cache
def _linked_class(base: Any) -> Any:
    class Linked(base):  # type: ignore[misc]
        """Code of which there is machine code once somebody asks for an address in it.

        Until then it is only inlined into itself, as Numba's first passes do it: whoever links it in optimises it anew.
        """

        _in_engine = False

        _optimize_functions = _optimize_bodies

        def _optimize_final_module(self) -> None:
            code = self._codegen
            options = {"loop_vectorize": code._loopvect, "slp_vectorize": False, "opt": code._opt_level}
            passes, builder = code._module_pass_manager(**options, cost="cheap")
            passes.run(self._final_module, builder)

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

        def get_pointer_to_function(self, name: str) -> int:
            self._ensure_finalized()
            if not any(f.name == name and not f.is_declaration for f in self._final_module.functions):
                return 0
            if not self._in_engine:
                self._in_engine = True
                super()._optimize_final_module()
                super()._finalize_final_module()
            return int(super().get_pointer_to_function(name))

        @property
        def codegen(self) -> Any:
            return super().codegen if self._in_engine else _Unset(super().codegen)

        def serialize_using_object_code(self) -> Any:
            return super().serialize_using_object_code() if self._in_engine else self.serialize_using_bitcode()

    return Linked


def _optimize_bodies(library: Any, module: Any) -> None:
    """Run Numba's passes of functions over those that have a body: most are declarations."""
    module.data_layout = library._codegen._data_layout
    passes, builder = library._codegen._function_pass_manager()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)


class _Unset:
    """Stands in for what generates code, where there is no machine code whose environment could be set."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def set_env(self, name: str, environment: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)


def locks() -> Iterator[Any]:
    """List the locks of Numba's compiler and of LLVM, if they are there."""
    llvm = getattr(getattr(sys.modules.get("llvmlite.binding.ffi"), "lib", None), "_lock", None)
    for found in (getattr(loaded("compiler_lock"), "_lock", None), getattr(llvm, "_lock", None)):
        if hasattr(found, "acquire"):
            yield found


def keep_in(dispatcher: Any, cache: Any) -> None:
    """Have a dispatcher ask ``cache.load_overload`` and ``cache.save_overload`` instead of Numba's own cache."""
    dispatcher._cache = cache


def arguments_of(signature: Any) -> tuple[Any, ...]:
    """Return the types of the arguments of a signature, however it is given."""
    return tuple(__getattr__("normalize_signature")(signature)[0])


def taken_apart(result: Any) -> Any:
    """Return what can be pickled of what a signature was compiled to; None if it holds addresses of this process."""
    # without the listing of types, which takes long to write and which nobody reads
    return None if result.library.has_dynamic_globals else result._replace(type_annotation="")._reduce()


def put_together(context: Any, parts: Any) -> Any:
    """Return what was taken apart."""
    return __getattr__("CompileResult")._rebuild(context, *parts)


def type_of(stub: Any) -> Any:
    """Return the type that Numba has registered for a global of this value: an intrinsic, or what is overloaded."""
    return next(kind for value, kind in __getattr__("typing_registry").globals if value is stub)


# ---- objects of Numba's


def function_of(dispatcher: Any) -> Any:
    """Return the Python function that a dispatcher is made of; its own attributes may be copies of another's."""
    return getattr(getattr(dispatcher, "_compiler", None), "py_func", None) or dispatcher.py_func


def made_of(thing: Any) -> tuple[Any, ...] | None:
    """Return what a type, an intrinsic or a universal function of Numba's is made of; None for anything else."""
    if is_a(thing, "Type") and "0x" not in repr(thing):
        return "type", repr(thing)
    if is_a(thing, "Intrinsic"):
        return "intrinsic", thing._defn
    if is_a(thing, "DUFunc"):
        dispatcher = thing._dispatcher
        kinds = tuple(sorted(map(str, thing.types)))
        return "vectorized", kinds, str(thing.identity), dispatcher.py_func, dispatcher.targetoptions
    return None


def is_error(error: BaseException) -> bool:
    """Tell whether an exception is one that Numba's compiler raises."""
    return any(kind.__module__ == "numba.core.errors" for kind in type(error).__mro__)


# ---- what Numba has been taught


class Registered(NamedTuple):
    """A part of an implementation.

    Attributes
    ----------
    key : object
        What it is for: a function, an operator, or the name of a method or an attribute.
    function : callable
        What implements it.
    """

    key: Any
    function: Any


def registries() -> Mapping[str, list[Any]]:
    """Return the lists to which Numba appends implementations, by names of ours."""
    found = {}
    for registry, names in (
        ("typing_registry", ("functions", "attributes", "globals")),
        ("lowering_registry", ("functions", "getattrs")),
    ):
        for name in names:
            found[f"{registry}.{name}"] = getattr(loaded(registry), name, [])
    return found


def registered(item: Any) -> Iterator[Registered]:
    """Take an item of a registry apart: what it is for, and the functions of which it is made."""
    if isinstance(item, type):  # how a function or an attribute is typed
        key = getattr(item, "_attr", None) or getattr(item, "key", None)
        yield from (Registered(key, part) for part in _functions(item))
    elif isinstance(item, tuple) and len(item) == 2:
        templates = getattr(item[1], "templates", ())
        yield from (Registered(item[0], part) for template in templates for part in _functions(template))
    elif isinstance(item, tuple) and item[1] is not None:  # how it is lowered
        yield Registered(item[1], getattr(item[0], "__wrapped__", item[0]))


def _functions(template: type) -> Iterator[Any]:
    overload = getattr(template, "_overload_func", None)
    if overload is not None:
        yield overload
    else:
        yield from (member for member in vars(template).values() if hasattr(member, "__code__"))


# ---- what compiled code calls


def run_time_functions() -> dict[str, int]:
    """Return the addresses of the functions of Numba's run time by their symbols, without importing Numba."""
    found = {}
    for module, prefix in (("_helperlib", "numba_"), ("core/runtime/_nrt_python", "NRT_")):
        for name, address in _table(folder() / module).items():
            found[name if name.startswith(("_", prefix)) else prefix + name] = address
    return found


def _table(module: Path) -> dict[str, int]:
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = module.parent / (module.name + suffix)
        if path.exists():
            loader = importlib.machinery.ExtensionFileLoader(module.name, str(path))
            spec = importlib.util.spec_from_loader(module.name, loader)
            assert spec is not None
            extension = importlib.util.module_from_spec(spec)
            loader.exec_module(extension)
            return dict(extension.c_helpers)
    return {}
