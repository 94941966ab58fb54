"""Combined families look like families, refuse what does not fit, and are kept compiled."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from nbinfer.compile import JIT
from nbinfer.distributions import (
    categorical,
    censored,
    exponential,
    mixture,
    mvnormal,
    normal,
    poisson,
    truncated,
)
from tests.distributions.combined import (
    INF,
    MU,
    W,
    capped_cut,
    capped_poisson,
    capped_weibull,
    cut_normal,
    cut_weibull,
    mixed,
    normals,
    poissons,
)

NAN = np.nan
nojit = pytest.mark.skipif(not JIT, reason="nothing is compiled")


def rng():
    return np.random.default_rng(21)


def test_they_look_like_families():
    assert repr(cut_normal) == "<family truncated(normal)>"
    assert repr(capped_cut.logpdf) == "<density censored(truncated(normal)).logpdf>"
    assert mixed.logpdf.names == ("x", "weights", "mu_0", "sigma_0", "mu_1", "b_1")
    assert cut_normal.logpdf(0.5, sigma=1.2, mu=0.3, lower=0.0, upper=2.0) == cut_normal.logpdf(0.5, 0.3, 1.2, 0.0, 2.0)
    assert cut_weibull.support(2.0, 1.0, -1.0, 3.0) == (0.0, 3.0)
    assert capped_weibull.support(2.0, 1.0, 0.5, INF) == (0.5, INF)
    assert poissons.support(W, np.ones(2)) == (0, INF)
    assert mixture(normal, exponential).support(W, 0.0, 1.0, 2.0) == (-INF, INF)
    assert not hasattr(mixture(categorical), "logcdf")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: cut_normal.check(0.0, -1.0, 0.0, 1.0),
            r"truncated\(normal\): sigma must be positive and finite, got -1.0",
        ),
        (
            lambda: cut_normal.check(0.0, 1.0, 1.0, 1.0),
            r"truncated\(normal\): lower must be less than upper, got lower = 1.0",
        ),
        (lambda: cut_normal.random(rng(), 0.0, 1.0, NAN, 1.0), r"truncated\(normal\): lower must be a number"),
        (
            lambda: capped_poisson.random(rng(), -1.0, 0.0, 1.0),
            r"censored\(poisson\): mu must be finite and not negative",
        ),
        (lambda: normals.check(W, MU, -1.0), r"mixture\(normal\): sigma must be positive and finite, got -1.0"),
        (lambda: normals.check(2 * W, MU, 1.0), r"mixture\(normal\): weights must be probabilities that sum to 1"),
        (
            lambda: normals.random(rng(), W, MU, [1.0, -1.0]),
            r"mixture\(normal\): sigma must be positive and finite, got \[ 1. -1.\]",
        ),
        (
            lambda: normals.random(rng(), W, np.ones(3), 1.0),
            r"mixture\(normal\): mu must be a number or have an element",
        ),
        (lambda: mixed.random(rng(), W, 0.0, 1.0, 0.0, -1.0), r"mixture\(normal, laplace\): b_1 must be positive"),
    ],
)
def test_invalid_parameters_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: truncated(mvnormal), "truncated takes a family of one variable, such as .*normal, got <module"),
        (lambda: censored(stats.norm), "censored takes a family of one variable"),
        (
            lambda: truncated(categorical),
            "truncated needs logcdf and logsf of a family, which categorical does not have",
        ),
        (lambda: mixture(), "mixture takes one family or more"),
        (lambda: mixture(normal, poisson), "all continuous or all discrete"),
    ],
)
def test_what_is_no_family_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


MODEL = """
import sys
import numpy as np
import nbinfer as nb
from nbinfer.distributions import censored, exponential, mixture, normal

capped, normals = censored(exponential), mixture(normal)
y, x = np.array([0.5, 1.0, 2.0]), np.array([-1.0, 0.0, 2.0])

def prior(p, d):
    return normal.logpdf(p.rate, 0.0, 1.0) + np.sum(normal.logpdf(p.mu, 0.0, 1.0))

def survival(p, d):
    return capped.logpdf(d.y, p.rate, -np.inf, 2.0)

def clusters(p, d):
    return normals.logpdf(d.x, p.weights, p.mu, 1.0)

model = nb.Model(
    parameters={"rate": nb.positive(), "mu": nb.real(2), "weights": nb.simplex(2)},
    prior=prior, likelihood={"y": survival, "x": clusters}, data={"y": y, "x": x},
)
value, grad = model.bind(1).value_and_grad(np.array([0.1, -0.2, 0.3, 0.4]))
assert model.bind(1).has_gradient == "derived"
assert model.bind(1).compare(np.array([0.1, -0.2, 0.3, 0.4])).ok
print("numba" in sys.modules)
"""


@pytest.mark.slow  # as a model of another family that makes functions is
@pytest.mark.nojit
@nojit
def test_a_model_is_compiled_once(tmp_path):
    script = tmp_path / "model.py"  # a gradient is derived from source
    script.write_text(MODEL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    runs = [subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert runs[1].stdout == "False\n"


#: Numba's decorator of device functions sees no kernels: each is made one, with those it calls.
DEVICE = """
import types
import numpy as np
from numba import cuda
from nbinfer.compile import Kernel
from nbinfer.compile.fingerprint import global_chains
from nbinfer.distributions import censored, gaussian_random_walk, laplace, lkj_cholesky, mixture, normal, truncated

def as_device(thing):
    return device(thing.py_func) if isinstance(thing, Kernel) else thing

def device(function):
    names = {chain[0] for chain in global_chains(function.__code__)}
    found = {n: as_device(function.__globals__[n]) for n in names if n in function.__globals__}
    cells = tuple(types.CellType(as_device(c.cell_contents)) for c in function.__closure__ or ())
    made = types.FunctionType(function.__code__, found, function.__name__, None, cells)
    return cuda.jit(device=True)(made)

calls = [
    (truncated(normal).logpdf, (0.5, 0.3, 1.2, 0.0, np.inf)),
    (censored(normal).logpdf, (2.0, 0.3, 1.2, -np.inf, 2.0)),
    (mixture(normal, laplace).logpdf, (0.5, np.array([0.3, 0.7]), 0.1, 0.9, 0.3, 2.0)),
    (gaussian_random_walk.logpdf, (np.array([0.1, 0.4, 0.2]), 0.1, 0.7, 0.2, 2.0)),
    (lkj_cholesky.logpdf, (np.array([[1.0, 0.0], [0.6, 0.8]]), 1.5)),
]
for function, args in calls:
    f, out = device(function.py_func), np.zeros(1)
    def kernel(out):
        out[0] = f(*args)
    with np.errstate(all="ignore"):
        cuda.jit(kernel)[1, 1](out)
    np.testing.assert_allclose(out[0], function(*args), rtol=1e-13, err_msg=repr(function))
"""


@pytest.mark.either
def test_cuda_simulator():
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, "-c", DEVICE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
