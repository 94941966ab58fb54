"""What Numba does again and again while it compiles, done once, or left out where nobody looks at it.

Each shortcut gives what Numba's own function gives, in less time.
"""

# Numba's objects have no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nbinfer.compile import numba_internals


@contextlib.contextmanager
def shortcuts() -> Iterator[None]:
    """Have Numba take the shortcuts; nobody else compiles meanwhile."""
    numba_internals.ready()
    with numba_internals.compiler_lock, contextlib.ExitStack() as stack:
        for owner, name, shorter in _SHORTCUTS:
            place = getattr(numba_internals, owner)
            before = getattr(place, name)
            setattr(place, name, shorter(before))
            stack.callback(setattr, place, name, before)
        yield


def _remembered_operators(before: Callable[..., Any]) -> Callable[..., Any]:
    """Find out once what an operator or an intrinsic gives for types: Numba does it for each, up to four times."""
    known: dict[Any, Any] = {}
    kinds = (types.BuiltinFunctionType, numba_internals.Intrinsic)

    def get_call_type(function, context, args, kws):
        if kws or not isinstance(getattr(function, "typing_key", None), kinds):
            return before(function, context, args, kws)
        key = (id(function), id(context), args)
        if key not in known:
            known[key] = before(function, context, args, kws), function  # whose identity must not be another's
        return known[key][0]

    return get_call_type


def _variables(before: Callable[..., Any]) -> Callable[..., Any]:
    """List the variables of an instruction: most of what it holds is neither a variable nor holds any."""
    variable, instruction = numba_internals.ir.Var, numba_internals.ir.Inst
    leaves: set[type] = set()

    def collect(value, found):
        kind = type(value)
        if kind in leaves:
            return
        if kind is variable:
            found.append(value)
        elif isinstance(value, instruction):
            found.extend(value.list_vars())
        elif isinstance(value, (list, tuple, dict)):
            for item in value.values() if isinstance(value, dict) else value:
                collect(item, found)
        else:
            leaves.add(kind)

    def rec_list_vars(self, value):
        if isinstance(value, variable):
            return [value]
        found: list[Any] = []
        collect(value, found)
        return found

    return rec_list_vars


def _lifetimes_when_needed(before: Callable[..., Any]) -> Callable[..., Any]:
    """Leave it to who asks to find out where variables live: nine passes have it done, and one asks."""

    def run(self, emit_dels=False, extend_lifetimes=False):
        code = self.func_ir
        if emit_dels or code.is_generator:
            before(self, emit_dels, extend_lifetimes)
            return
        code.blocks = numba_internals.canonicalize_cfg(code.blocks)
        code.variable_lifetime = numba_internals.VariableLifetime(code.blocks)
        code.generator_info = None

    return run


def _inlined_where_there_is_something(before: Callable[..., Any]) -> Callable[..., Any]:
    """Look for closures, comprehensions and reductions to inline only where a statement makes or names one."""
    code = numba_internals.ir

    def is_one(value):
        if isinstance(value, code.Expr):
            named = value.op == "getattr" and value.attr in _INLINED
            return named or value.op in ("make_function", "build_list")
        if isinstance(value, (code.Global, code.FreeVar)):
            return getattr(value.value, "__name__", None) in _INLINED or type(value.value).__name__ == "StencilFunc"
        return False

    def run(self):
        statements = (s for block in self.func_ir.blocks.values() for s in block.find_insts(code.Assign))
        if any(is_one(s.value) for s in statements):
            before(self)

    return run


def _only_where_it_is(before: Callable[..., Any]) -> Callable[..., Any]:
    """Rename a variable in statements that name it: Numba looks for each variable at each of all statements, twice."""
    names: dict[int, Any] = {}

    def run_ssa_block_pass(states, block, handler):
        variable = states.get("varname")
        if variable is None:
            names.clear()  # another function, whose statements may stand where others stood
            yield from before(states, block, handler)
            return
        for statement in block.body:
            found = names.get(id(statement))
            if found is None:
                found = {v.name for v in statement.list_vars()}, statement  # whose identity must not be another's
                names[id(statement)] = found
            if variable not in found[0]:
                yield statement
            elif isinstance(statement, numba_internals.ir.Assign):
                yield handler.on_assign(states, statement)
            else:
                yield handler.on_other(states, statement)

    return run_ssa_block_pass


def _counted_only(before: Callable[..., Any]) -> Callable[..., Any]:
    """Count references of what has some: Numba looks for them in each number."""
    known: dict[Any, bool] = {}

    def call_incref_decref(self, builder, kind, value, name):
        if kind not in known:
            known[kind] = self._context.data_model_manager[kind].contains_nrt_meminfo()
        if known[kind]:
            before(self, builder, kind, value, name)

    return call_incref_decref


def _counted_parts(before: Callable[..., Any]) -> Callable[..., Any]:
    """Take of a value the parts that are counted: of an array Numba takes address, lengths and strides, too."""
    known: dict[Any, bool] = {}

    def get_meminfos(self, builder, kind, value):
        models = self._context.data_model_manager
        model, found = models[kind], []
        if model.has_nrt_meminfo():
            found.append((kind, model.get_nrt_meminfo(builder, value)))
        for inner, get in model.traverse(builder):
            if inner not in known:
                known[inner] = models[inner].contains_nrt_meminfo()
            if known[inner]:
                found.extend(self.get_meminfos(builder, inner, get(value)))
        return found

    return get_meminfos


def _options_at_once(before: Callable[..., Any]) -> Callable[..., Any]:
    """Return all options of a compilation: Numba asks a property for each, and for all of them at each pass."""
    defaults: dict[type, dict[str, Any]] = {}

    def values(self):
        kind = type(self)
        if kind not in defaults:
            defaults[kind] = {name: option.default for name, option in kind.options.items()}
        return defaults[kind] | self._values

    return values


def _registry_once(before: Callable[..., Any]) -> Callable[..., Any]:
    """Find out once where intrinsics are registered: Numba looks through all it knows for each of their calls."""
    known: dict[Any, Any] = {}

    def get_target_registry(self, reason):
        key = (id(self.context), self.metadata.get("target", "generic"))
        if key not in known:
            known[key] = before(self, reason)
        return known[key]

    return get_target_registry


def _arrays_in_place(before: Callable[..., Any]) -> Callable[..., Any]:
    """Make new arrays where they are asked for, instead of by functions that are compiled for it."""
    from nbinfer.compile.making_lowered import made_in_place

    def generic(self, args, kws):
        made = None if kws else made_in_place(self.key, args)
        if made is None:
            return before(self, args, kws)
        signature, self._compiled_overloads[signature.args] = made
        return signature

    return generic


def _no_addresses(before: Callable[..., Any]) -> Callable[..., Any]:
    """Spare the implementations of overloaded functions the C functions by which others than compiled code call."""

    def get_jit_decorator(self):
        decorator = before(self)
        return lambda **options: decorator(**options | {"no_cfunc_wrapper": True})

    return get_jit_decorator


def _said_when_asked(before: Callable[..., Any]) -> Callable[..., Any]:
    """Say where an error arose if there is one: Numba makes a generator for each statement, and for each call two."""
    errors = numba_internals.errors
    own = errors._numba_path

    class Context:
        __slots__ = ("args", "form", "named")

        def __init__(self, form, *args, **named):
            self.form, self.args, self.named = form, args, named

        def __enter__(self):
            place = self.named.get("loc")
            if place is not None and not place.filename.startswith(own):
                errors.loc_info.update(self.named)

        def __exit__(self, kind, error, traceback):
            if isinstance(error, errors.NumbaError):
                error.add_context(errors._format_msg(self.form, self.args, self.named))

    return Context


def _globals_once(before: Callable[..., Any]) -> Callable[..., Any]:
    """Find out once what a module, a class or a built-in function is: Numba asks the buffer protocol and cffi first."""
    known: dict[Any, Any] = {}
    kinds = (types.ModuleType, types.BuiltinFunctionType, type, np.ufunc, type(np.sum))

    def resolve_value_type(self, value):
        if not isinstance(value, kinds):
            return before(self, value)
        key = (id(value), id(self))
        if key not in known:
            known[key] = before(self, value), value  # whose identity must not be another's
        return known[key][0]

    return resolve_value_type


def _sizes_once(before: Callable[..., Any]) -> Callable[..., Any]:
    """Find out once how large a type is: LLVM reads a module for it, and Numba asks for each variable."""
    known: dict[Any, Any] = {}

    def get_abi_size(self, target, context=None):
        if context is not None or hasattr(self, "is_opaque"):  # what a name stands for is up to its context
            return before(self, target, context)
        key = (id(target), str(self))
        if key not in known:
            known[key] = before(self, target), target
        return known[key][0]

    return get_abi_size


def _signatures_once(before: Callable[..., Any]) -> Callable[..., Any]:
    """Read the signature of what lowers a call once: Numba does it for each call."""
    known: dict[int, Any] = {}

    def has_loc(function):
        if id(function) not in known:
            known[id(function)] = before(function), function
        return known[id(function)][0]

    return has_loc


def _is_counted(self, kind):
    """Tell whether a variable of a type holds references that are counted."""
    return self.context.data_model_manager[kind].contains_nrt_meminfo()


def _deleted_if_counted(before: Callable[..., Any]) -> Callable[..., Any]:
    """Let variables end without a trace: Numba reads each, and then writes zeros, for the sake of its references."""

    def delvar(self, name):
        kind = self.typeof(name)
        if _is_counted(self, kind) or self._disable_sroa_like_opt:
            before(self, name)
            return
        if name not in self._blk_local_varmap:
            self._singly_assigned_vars.discard(name)
        self._alloca_var(name, kind)

    return delvar


def _stored_as_it_is(before: Callable[..., Any]) -> Callable[..., Any]:
    """Write a variable without reading what it was: that is for its references."""

    def storevar(self, value, name, argidx=None):
        kind = self.typeof(name)
        if argidx is not None or self._disable_sroa_like_opt or _is_counted(self, kind):
            before(self, value, name, argidx)
            return
        self._alloca_var(name, kind)
        if name in self._singly_assigned_vars:
            self._blk_local_varmap[name] = value
            return
        place = self.getvar(name)
        if value.type != place.type.pointee:
            before(self, value, name)  # which says so
        self.builder.store(value, place)

    return storevar


def _if_counted(before: Callable[..., Any]) -> Callable[..., Any]:
    """Take hold of, or let go, what is counted."""

    def count(self, kind, value):
        if _is_counted(self, kind):
            before(self, kind, value)

    return count


def _nothing(before: Callable[..., Any]) -> Callable[..., Any]:
    """Tell nobody: these are the events by which Numba measures its own time."""
    return lambda *args, **named: None


#: What Numba inlines before it knows types, besides functions made where they are called.
_INLINED = ("reduce", "stencil")

#: Where they are taken: the owner by its name in `numba_internals`, what is replaced, and by what.
_SHORTCUTS: list[tuple[str, str, Callable[..., Any]]] = [
    ("BaseFunction", "get_call_type", _remembered_operators),
    ("Inst", "_rec_list_vars", _variables),
    ("PostProcessor", "run", _lifetimes_when_needed),
    ("InlineClosureCallPass", "run", _inlined_where_there_is_something),
    ("ssa", "_run_ssa_block_pass", _only_where_it_is),
    ("NRTContext", "_call_incref_decref", _counted_only),
    ("NRTContext", "get_meminfos", _counted_parts),
    ("Lower", "delvar", _deleted_if_counted),
    ("Lower", "storevar", _stored_as_it_is),
    ("Lower", "incref", _if_counted),
    ("Lower", "decref", _if_counted),
    ("lowering", "new_error_context", _said_when_asked),
    ("typeinfer", "new_error_context", _said_when_asked),
    ("TypingContext", "resolve_value_type", _globals_once),
    ("LLVMType", "get_abi_size", _sizes_once),
    ("base", "_has_loc", _signatures_once),
    ("TargetConfig", "values", _options_at_once),
    ("intrinsic_template", "_get_target_registry", _registry_once),
    ("overload_template", "_get_jit_decorator", _no_addresses),
    ("overload_template", "generic", _arrays_in_place),
    ("events", "start_event", _nothing),
    ("events", "end_event", _nothing),
]
