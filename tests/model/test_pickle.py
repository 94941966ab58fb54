"""Models of functions at the top of a module are pickled and copied, and go on as if nothing had happened."""

import copy
import ctypes
import functools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, kernel

ROOT = Path(__file__).parent.parent.parent
Y = np.linspace(0.0, 1.0, 5)
Q = np.array([0.2, -0.3, 0.4])
SCALE = 2.0


def lowest(p, d):
    return p.a


def prior(p, d):
    return -0.5 * p.a**2 - p.b


def likelihood(p, d):
    return -0.5 * (d.y - SCALE * p.a - p.c) ** 2


def doubled(p, d):
    return 2.0 * p.b


def replicate(p, d, rng):
    return rng.normal(p.a, 1.0, d.y.size)


def conditional(p, d, i):
    return -0.5 * np.sum((d.y - SCALE * p.a - p.c) ** 2)


def fused(x, grad, data):
    grad[:] = data - x
    return -0.5 * np.sum((data - x) ** 2)


if JIT:
    from numba import njit

    likelihood, fused = njit(likelihood), njit(boundscheck=True)(fused)


@functools.cache
def named():
    parameters = {"a": nb.real(), "b": nb.lower(lowest), "c": nb.interval(-1.0, np.array(2.0)), "n": nb.binary()}
    functions = {"derived": {"doubled": doubled}, "predict": {"y": replicate}, "conditional": {"c": conditional}}
    return nb.Model(
        parameters, prior=prior, likelihood={"y": likelihood}, data={"y": Y}, total_size={"y": 50}, **functions
    )


@functools.cache
def flat():
    return nb.Model.flat(fused, 3, Q)


def evaluated(model):
    """Return what a model computes at a point, as hexadecimal digits."""
    bound = model.bind(1)
    logp, grad = bound.value_and_grad(Q)
    names = [column.name for column in bound.columns]
    return logp.hex(), grad.tobytes().hex(), names, repr(model)


@pytest.mark.either
@pytest.mark.parametrize("made", [named, flat])
def test_a_copy_computes_the_same(made):
    before = pickle.dumps(made())
    there = evaluated(made())
    for other in (pickle.loads(before), pickle.loads(pickle.dumps(made())), copy.deepcopy(made()), copy.copy(made())):
        assert evaluated(other) == there
        assert [p.support for p in other.parameters.values()] == [p.support for p in made().parameters.values()]


def test_a_model_moves_to_another_process():
    text = "import pickle, sys; from tests.model.test_pickle import evaluated; from nbinfer.compile import Entry\n"
    text += "for model in pickle.load(sys.stdin.buffer): print(evaluated(model))\nprint(Entry.compiled)"
    here = [evaluated(named()), evaluated(flat())]
    given = pickle.dumps([named(), flat()])
    run = subprocess.run([sys.executable, "-c", text], input=given, capture_output=True, check=True, cwd=ROOT)
    assert run.stdout.decode().splitlines() == [*map(str, here), "[]"]


def test_data_of_a_copy_are_its_own():
    other = copy.deepcopy(named())
    other.set_data(y=Y + 1.0)
    np.testing.assert_array_equal(named().data["y"], Y)
    assert other.logp({"a": 0.1, "b": 1.0, "c": 0.5, "n": 1}) != named().logp({"a": 0.1, "b": 1.0, "c": 0.5, "n": 1})


def test_what_has_no_name_is_refused():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2))


def test_an_address_is_not_pickled():
    function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, *[ctypes.c_void_p] * 3)(
        lambda n, q, grad, context: 0.0
    )
    model = nb.Model.flat(function, 2)
    with pytest.raises(TypeError, match="C function, whose address means nothing in another process"):
        pickle.dumps(model)
    assert copy.copy(model).definition is copy.deepcopy(model).definition is model.definition


@kernel
def half(x):
    return 0.5 * x


def test_kernels_are_pickled_by_name():
    assert pickle.loads(pickle.dumps([half, nb.vectormath.exp])) == [half, nb.vectormath.exp]
