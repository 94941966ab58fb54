"""What is used of Numba beyond its documentation is there, and does what it is used for.

It takes seconds, and is run against the oldest Numba allowed as well as the newest.
"""

import ctypes
import math
import os
import pickle
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest

from nbinfer.compile import Kernel, entry, generator_at, kernel, numba_internals, objects
from nbinfer.compile.extensions import Extensions
from nbinfer.compile.indices import may_leave
from nbinfer.compile.numba_internals import HOMES, CFunction, is_a, loaded, made_of
from nbinfer.random import generator_functions, new_stream
from tests.engine.interrupts import PRESS

numba = pytest.importorskip("numba")
pytestmark = pytest.mark.nojit


@pytest.mark.parametrize("name", HOMES)
def test_every_name_is_where_it_is_looked_for(name):
    found = getattr(numba_internals, name)
    assert found is not None
    assert loaded(name) is found


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        numba_internals.nothing  # noqa: B018


@pytest.mark.parametrize("at", ["numba.core.typing.collections", "numba.np.npyimpl"])
def test_models_compile_after_an_interruption_of_the_first_import(at, tmp_path):
    code = f"""
import signal, sys
import numpy as np
import nbinfer as nb

{PRESS}

def density(k):
    names = {{}}
    exec(f"def logp(p, d):\\n    return -{{k}} * p.x**2", names)
    return nb.Model({{"x": nb.real()}}, logp=names["logp"]).bind().value_and_grad(np.ones(1))[0]

sys.meta_path.insert(0, Press({at!r}))
try:
    print(density(1.25))
except KeyboardInterrupt:
    print("interrupted")
print(density(1.75))
"""
    environment = os.environ | {"NBINFER_CACHE_DIR": str(tmp_path)}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert out.stdout == "interrupted\n-1.75\n", out.stderr


def test_functions_are_met_while_numba_compiles():
    """Numba holds its lock while it types a user's function, which may be what calls for a function of ours first."""
    code = (
        "from numba.core.compiler_lock import global_compiler_lock\n"
        "from nbinfer.compile import numba_internals\n"
        "with global_compiler_lock:\n"
        "    print(numba_internals.ready().__name__)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert out.stdout == "numba\n", out.stderr


def test_nothing_is_imported_to_look():
    code = (
        "import sys\n"
        "from nbinfer.compile import numba_internals as n\n"
        "assert n.loaded('Dispatcher') is None and not n.is_a(1, 'Type') and n.made_of(1) is None\n"
        "assert not any(n.registries().values())\n"
        "assert b'version' in n.version_text()\n"
        "list(n.locks()), n.run_time_functions()\n"
        "print('numba' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (out.stdout, out.stderr) == ("False\n", "")


OPTIONS = {"error_model": "numpy", "fastmath": False}


def test_a_c_function_is_compiled_and_loaded():
    function = CFunction(lambda x: math.lgamma(x) + len(np.zeros(3)), "float64(float64)", OPTIONS)
    assert function.portable
    assert function.symbol in function.text
    assert any(name.startswith("NRT_") for name in function.externals)
    address = objects.load(function.symbol, function.code, function.externals)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(address)(5.0) == pytest.approx(math.log(24.0) + 3.0)


def test_code_that_refers_to_memory_of_this_process_says_so():
    large = np.zeros(10**6)
    assert not CFunction(lambda i: large[i], "float64(int64)", OPTIONS).portable


def test_a_compiled_kernel_is_taken_apart_and_put_together():
    class Cache:
        def __init__(self):
            self.kept, self.asked = {}, []

        def save_overload(self, signature, result):
            self.kept[signature] = pickle.dumps(numba_internals.taken_apart(result))

        def load_overload(self, signature, context):
            self.asked.append(signature)
            found = self.kept.get(signature)
            return found and numba_internals.put_together(context, pickle.loads(found))

    def plain(x):
        return 2.0 * x

    cache = Cache()
    for hits in (0, 1):
        dispatcher = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(plain)
        numba_internals.keep_in(dispatcher, cache)
        dispatcher.compile((numba.float64,))
        assert sum(dispatcher._cache_hits.values()) == hits
        assert len(cache.asked) == hits + 1
        assert numba.njit(lambda x, inner=dispatcher: inner(x))(4.0) == 8.0
    (signature,) = cache.kept
    assert numba_internals.arguments_of(signature) == numba_internals.arguments_of("(float64,)") == (numba.float64,)


def test_types_of_stubs():
    from numba.extending import intrinsic, overload

    @intrinsic
    def own(typing, x):
        return x(x), lambda context, builder, signature, args: args[0]

    def stub(x):
        raise NotImplementedError

    overload(stub)(lambda x: lambda x: x)
    for made in (own, stub):
        assert isinstance(numba_internals.type_of(made), numba.types.Function)


def test_objects_are_known():
    from numba.extending import intrinsic

    @intrinsic
    def own(typing, x):
        return x(x), None

    def plain(x):
        return x + 1.0

    compiled = numba.njit(plain)
    assert is_a(compiled, "Dispatcher")
    assert not is_a(plain, "Dispatcher")
    assert numba_internals.function_of(compiled) is plain
    assert made_of(numba.float64) == ("type", "float64")
    assert made_of(own) == ("intrinsic", own._defn)
    kind, kinds, *_, function, options = made_of(numba.vectorize(["float64(float64)"])(plain))
    assert (kind, kinds, function) == ("vectorized", ("d->d",), plain)
    assert isinstance(options, dict)
    assert made_of(plain) is made_of(1) is None
    with pytest.raises(numba_internals.NumbaError) as caught:
        numba.njit(lambda x: x.nothing)(1.0)
    assert isinstance(caught.value, numba_internals.TypingError)
    assert numba_internals.is_error(caught.value)
    assert not numba_internals.is_error(ValueError())


def test_locks_can_be_taken():
    numba.njit(lambda x: x)(1.0)
    locks = list(numba_internals.locks())
    assert len(locks) == 2
    for lock in locks:
        assert lock.acquire(timeout=10.0)
        lock.release()


def test_what_numba_is_taught_is_found():
    from numba.extending import overload, overload_method

    extensions = Extensions().update()

    def taught(x):
        raise NotImplementedError

    def implementation(x):
        return lambda x: x

    def method(x):
        return lambda x: x

    overload(taught)(implementation)
    overload_method(numba.types.Array, "of_the_test")(method)
    extensions.update()
    assert implementation in extensions.objects[id(taught)]
    assert extensions.names["of_the_test"] == [method]


def test_functions_are_read():
    def inside(x):
        total = 0.0
        for i in range(len(x)):
            total += x[i]
        return total

    def outside(x):
        return x[int(x[0])]

    assert not may_leave(inside, ())
    assert may_leave(outside, ())


def test_the_run_time_is_known_by_its_symbols():
    found = numba_internals.run_time_functions()
    numba.njit(lambda x: np.zeros(3))(1.0)
    for name in ("NRT_Allocate", "NRT_MemInfo_alloc_aligned", "numba_gil_ensure"):
        assert found[name] != 0
        assert llvm.address_of_symbol(name) != 0


def test_intrinsics_of_ours_compile():
    @kernel
    def draw(words, functions):
        return generator_at(words, functions).random()

    words = new_stream(np.array([1, 2], np.uint64))
    call = entry("float64(intp, intp)")(lambda w, f: draw(w, f))
    assert isinstance(draw, Kernel)
    assert 0.0 <= call(words.ctypes.data, generator_functions()) < 1.0


@kernel
def inner(x):
    return x * x + 1.0


def test_there_is_machine_code_of_nothing_but_what_is_called(monkeypatch):
    """A kernel is linked into its caller; a function of the user's can be called from Python afterwards."""
    from numba.core.codegen import JITCodeLibrary

    made = []
    finalize = JITCodeLibrary._finalize_specific
    monkeypatch.setattr(JITCodeLibrary, "_finalize_specific", lambda self: made.append(self.name) or finalize(self))

    @numba.njit
    def users(x):
        return 2.0 * x

    def outer(x):
        return inner(x) + users(x)

    function = CFunction(outer, "float64(float64)", OPTIONS)
    address = objects.load(function.symbol, function.code, function.externals)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(address)(3.0) == 16.0
    assert [name for name in made if "inner" in name] == []
    assert len([name for name in made if "outer" in name]) == 1
    assert users(5.0) == 10.0
    assert inner(3.0) == 10.0


def test_what_was_only_linked_is_linked_again_and_compiled():
    def first(x):
        return inner(x)

    def second(x):
        return inner(x) + 1.0

    for function, expected in ((first, 5.0), (second, 6.0)):
        made = CFunction(function, "float64(float64)", OPTIONS)
        address = objects.load(made.symbol, made.code, made.externals)
        assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(address)(2.0) == expected
    assert numba.njit(lambda x: inner(x))(2.0) == 5.0
