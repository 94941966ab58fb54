"""Laws of flat models: the same density whatever it is written in."""

import ctypes

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.compile import JIT, address_of, call_density, call_record, entry
from nbinfer.errors import ModelError
from nbinfer.model.foreign.pointers import knows_null

CENTRE = np.array([0.5, -1.0, 2.0])
Q = np.array([0.1, 0.2, 0.3])
VALUE, GRAD = -0.5 * np.sum((Q - CENTRE) ** 2), CENTRE - Q

_DOUBLES = ctypes.POINTER(ctypes.c_double)
PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, _DOUBLES, _DOUBLES, ctypes.c_void_p)


def fused(x, grad, data):
    logp = 0.0
    for i in range(x.size):
        grad[i] = data[i] - x[i]
        logp -= 0.5 * (data[i] - x[i]) ** 2
    return logp


def fused_by_name(x, grad, data):
    return fused_compiled(x, grad, data.centre) / data.scale


def value(x, data):
    return -0.5 * np.sum((x - data) ** 2)


def constant(x, grad):
    grad[:] = -x
    return -0.5 * np.sum(x**2)


def alone(x):
    return -0.5 * np.sum(x**2)


@PROTOTYPE
def in_c(n, q, grad, context):
    centre = ctypes.cast(context, _DOUBLES)
    for i in range(n):
        if grad:
            grad[i] = centre[i] - q[i]
    return -0.5 * sum((q[i] - centre[i]) ** 2 for i in range(n))


def fused_compiled(x, grad, data):
    return fused(x, grad, data)


if JIT:
    from numba import njit

    fused_njit = njit(fused)
    fused_compiled = fused_njit
else:
    fused_njit = fused


@entry("float64(intp, int64, intp, intp, intp)")
def evaluate(function, n, q, grad, context):
    return call_density(function, n, q, grad, context)


@entry("int64(intp, int64, intp, intp, intp)")
def write_row(function, n, q, row, context):
    return call_record(function, n, q, row, context)


class Callable:
    def __call__(self, x, data):
        return value(x, data)


def models():
    yield "plain", nb.Model.flat(fused, 3, CENTRE)
    yield "njit", nb.Model.flat(fused_njit, 3, CENTRE)
    yield "named data", nb.Model.flat(fused_by_name, 3, {"centre": CENTRE, "scale": 1.0})
    yield "value", nb.Model.flat(value, 3, CENTRE)
    yield "Python, fused", nb.Model.flat(fused, 3, CENTRE, compile=False)
    yield "Python, value", nb.Model.flat(value, 3, CENTRE, compile=False)
    yield "Python, object", nb.Model.flat(Callable(), 3, CENTRE, compile=False)
    yield "ctypes", nb.Model.flat(in_c, 3, context=CENTRE)
    yield "ctypes, address", nb.Model.flat(in_c, 3, context=address_of(CENTRE))
    yield "ctypes, pointer", nb.Model.flat(in_c, 3, context=ctypes.c_void_p(address_of(CENTRE)))
    yield "ctypes, a list", nb.Model.flat(in_c, 3, context=[np.zeros(3), CENTRE])


MODELS = dict(models())


@pytest.mark.parametrize("case", MODELS)
def test_the_same_density_whatever_it_is_written_in(case):
    model = MODELS[case]
    bound = model.bind(2)
    grad, row = np.full(3, np.nan), np.full(3, np.nan)
    got = evaluate(bound.density, 3, address_of(Q), address_of(grad), bound.context(1))
    assert got == pytest.approx(VALUE, rel=1e-14)
    np.testing.assert_allclose(grad, GRAD, rtol=1e-8 if bound.has_gradient != "written" else 1e-14)
    assert evaluate(bound.density, 3, address_of(Q), 0, bound.context(1)) == pytest.approx(VALUE, rel=1e-14)
    assert write_row(bound.record, 3, address_of(Q), address_of(row), bound.context(1)) == 0
    np.testing.assert_array_equal(row, Q)
    assert [c.name for c in bound.columns] == ["x"]
    assert bound.row_size == 3
    if "list" not in case:
        assert model.logp({"x": Q}) == pytest.approx(VALUE, rel=1e-14)
        assert model.logp_unconstrained(Q) == pytest.approx(VALUE, rel=1e-14)
        assert bound.value_and_grad(Q)[0] == pytest.approx(VALUE, rel=1e-14)
        assert bound.explain(Q) == ""
        assert model.check_grad().ok
    assert bound.serial == ("Python" in case)
    assert ("one after the other" in bound.gradient_warning) == bound.serial
    assert ("central differences" in bound.gradient_warning) == (bound.has_gradient == "finite differences")
    assert "x" in repr(model)


@pytest.mark.either
def test_data_may_be_left_out():
    for function in (constant, alone):
        assert nb.Model.flat(function, 3).bind().value(Q) == pytest.approx(-0.5 * np.sum(Q**2))
        assert nb.Model.flat(function, 3, compile=False).bind().value(Q) == pytest.approx(-0.5 * np.sum(Q**2))


def test_contexts_belong_to_chains():
    bound = nb.Model.flat(in_c, 3, context=[np.zeros(3), CENTRE]).bind(2)
    values = [evaluate(bound.density, 3, address_of(Q), 0, bound.context(c)) for c in (0, 1)]
    assert values == pytest.approx([-0.5 * np.sum(Q**2), VALUE])
    with pytest.raises(ModelError, match="context must have an entry for each of 3 chains, got 2"):
        bound.definition.bind(3)


def test_scipy_low_level_callable():
    scipy = pytest.importorskip("scipy")
    pointer = ctypes.c_void_p(address_of(CENTRE))
    model = nb.Model.flat(scipy.LowLevelCallable(in_c, pointer), 3)
    assert model.bind().value(Q) == pytest.approx(VALUE)


def test_cffi_pointer():
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()

    @ffi.callback("double(int64_t, double *, double *, void *)")
    def function(n, q, grad, context):
        return -0.5 * sum(q[i] ** 2 for i in range(n))

    assert nb.Model.flat(function, 3).bind().value(Q) == pytest.approx(-0.5 * np.sum(Q**2))


def disguises():
    # Forms in which one of Numba's C functions is handed over.
    yield "itself", lambda f, ffi: f
    yield "ctypes", lambda f, ffi: f.ctypes
    yield "prototype", lambda f, ffi: PROTOTYPE(f.address)
    yield "void", lambda f, ffi: f.cffi
    yield "cffi", lambda f, ffi: ffi.cast("double(*)(int64_t, const double *, double *, void *)", f.address)
    yield "scipy", lambda f, ffi: pytest.importorskip("scipy").LowLevelCallable(f.ctypes)


DISGUISES = dict(disguises())


@pytest.mark.nojit
def test_numba_cfunc_in_every_disguise():
    from numba import carray, cfunc, types

    ffi = pytest.importorskip("cffi").FFI()
    doubles = types.CPointer(types.float64)

    @cfunc(types.float64(types.int64, doubles, types.voidptr, types.voidptr))
    def function(n, q, grad, context):
        logp, out = 0.0, carray(grad, n, types.float64)
        for i in range(n):
            logp -= 0.5 * q[i] ** 2
            out[i] = -q[i]  # Numba cannot compare a pointer with null: it is never called with one
        return logp

    for disguise in DISGUISES.values():
        model = nb.Model.flat(disguise(function, ffi), 3)
        assert model.logp({"x": Q}) == model.bind().value(Q) == pytest.approx(-0.5 * np.sum(Q**2))
        np.testing.assert_array_equal(model.bind().value_and_grad(Q)[1], -Q)


@pytest.mark.nojit
def test_user_data_of_scipy_reach_a_cfunc():
    from numba import cfunc, types

    scipy = pytest.importorskip("scipy")
    doubles = types.CPointer(types.float64)

    @cfunc(types.float64(types.int64, doubles, doubles, doubles))
    def function(n, q, grad, centre):
        logp = 0.0
        for i in range(n):
            logp -= 0.5 * (q[i] - centre[i]) ** 2
            grad[i] = centre[i] - q[i]
        return logp

    handed = scipy.LowLevelCallable(function.ctypes, ctypes.c_void_p(address_of(CENTRE)))
    assert nb.Model.flat(handed, 3).bind().value(Q) == pytest.approx(VALUE)
    assert nb.Model.flat(handed, 3, context=np.zeros(3)).bind().value(Q) == pytest.approx(-0.5 * np.sum(Q**2))


@pytest.mark.nojit
def test_other_signatures_are_refused():
    from numba import cfunc, types

    ffi = pytest.importorskip("cffi").FFI()
    doubles, singles = types.CPointer(types.float64), types.CPointer(types.float32)
    wrong = [
        types.float64(types.float64),
        types.float64(types.int64, doubles, doubles),
        types.float32(types.int64, doubles, doubles, types.voidptr),
        types.float64(types.float64, doubles, doubles, types.voidptr),
        types.float64(types.int64, singles, doubles, types.voidptr),
        types.float64(types.int64, doubles, types.int32, types.voidptr),
        types.float64(types.int64, doubles, doubles, types.float64),
    ]
    wanted = r"double f\(int64_t n, const double \*q, double \*grad, void \*context\), got "
    for sig in wrong:
        function = cfunc(sig)(eval(f"lambda {', '.join('abcd'[: len(sig.args)])}: 0.0"))
        for form in (function, function.ctypes):
            with pytest.raises(ModelError, match=wanted):
                nb.Model.flat(form, 3)
    for form in (ffi.cast("double(*)(double)", 8), ffi.new("double[3]")):
        with pytest.raises(ModelError, match=wanted):
            nb.Model.flat(form, 3)
    with pytest.raises(ModelError, match="f must be a C function, got a null pointer"):
        nb.Model.flat(PROTOTYPE(0), 3)


def test_what_is_known_to_look_for_null_is_asked_for_the_value_alone():
    words = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, *[ctypes.c_ssize_t] * 3)
    library = ctypes.pythonapi.PyThread_get_thread_ident
    assert knows_null(words(lambda *_: 0.0))
    assert knows_null(ctypes.CFUNCTYPE(ctypes.c_double)(ctypes.cast(library, ctypes.c_void_p).value))
    assert not knows_null(in_c)


def test_an_exception_of_a_python_callable_is_kept_and_replayed():
    def raises(x):
        if x[0] > 1.0:
            raise KeyError("mine")
        return 0.0

    bound = nb.Model.flat(raises, 2, compile=False).bind(2)
    bad = np.array([2.0, 0.0])
    assert evaluate(bound.density, 2, address_of(bad), 0, bound.context(1)) == -np.inf
    assert bound.failure(0) is None
    np.testing.assert_array_equal(bound.failure(1), bad)
    assert ctypes.c_int64.from_address(bound.status(1)).value == 1
    with pytest.raises(KeyError, match="mine"):
        bound.replay(bad)
    bound.clear_failure(1)
    assert bound.failure(1) is None


def test_ctrl_c_inside_a_callable_is_no_value():
    calls = []

    def pressed_later(x):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.0

    bound = nb.Model.flat(pressed_later, 2, compile=False).bind()
    calls[:] = [0]
    with pytest.raises(KeyboardInterrupt):
        bound.values_and_grads(np.zeros((2, 2)), gradient=False)
    assert bound.failed_chains == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nb.Model.flat(fused, 0, CENTRE), "dim must be at least 1, got 0"),
        (lambda: nb.Model.flat(fused, 2.5, CENTRE), r"dim must be an integer, got 2\.5"),
        (lambda: nb.Model.flat("f", 3), "f must be a function .* got str"),
        (lambda: nb.Model.flat(lambda: 0.0, 3), r"f must be logp_grad\(x, grad\) or logp\(x\), got <lambda>\(\)"),
        (
            lambda: nb.Model.flat(alone, 3, CENTRE),
            r"f must be logp_grad\(x, grad, data\) or logp\(x, data\), got alone\(x\)",
        ),
        (
            lambda: nb.Model.flat(lambda x, a, b, c: 0.0, 3, CENTRE),
            r"got <lambda>\(x, a, b, c\); data come as one argument, logp\(x, d\)",
        ),
        (lambda: nb.Model.flat(Callable(), 3, CENTRE), "pass compile=False to call it as it is"),
        (lambda: nb.Model.flat(in_c, 3, CENTRE), "gets its data through context="),
        (lambda: nb.Model.flat(fused, 3, context=CENTRE), "context= is for C functions"),
        (lambda: nb.Model.flat(in_c, 3, context="here"), "context must be an address"),
        (lambda: nb.Model.flat(lambda x: None, 3).bind(), "logp must return a number, got None"),
        (lambda: nb.Model.flat(lambda x: x, 3, compile=False).bind(), "f must return a number, got an array"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ModelError, match=message):
        call()


def test_arguments_taken_for_a_gradient_are_told():
    def line(x, a, b):
        return -np.sum((np.ones(5) * b - a) ** 2)

    with pytest.raises(ValueError, match="broadcast") as told:
        nb.Model.flat(line, 3, CENTRE).bind()
    assert "line(x, a, b) was called as logp_grad(x, grad, data)" in "".join(told.value.__notes__)
