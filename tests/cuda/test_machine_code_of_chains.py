"""Kernels of chains compile for Hopper, and models with them: in how many registers, and how much local memory."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.cuda import backend
from nbinfer.distributions import half_cauchy, normal
from nbinfer.errors import CompileError
from nbinfer.mcmc.ensemble import chees, mams
from nbinfer.mcmc.hamiltonian import hmc, nuts
from nbinfer.mcmc.walks import metropolis
from nbinfer.mcmc.walks import slice as slices

RNG = np.random.default_rng(1)

pytestmark = [
    pytest.mark.skipif(not backend.has_package(), reason="numba-cuda is not installed: pip install 'nbinfer[cuda]'"),
    pytest.mark.skipif(not JIT, reason="what is written for plain Python is not compiled"),
]


def schools():
    def logp(p, d):
        total = normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + normal.logpdf(p.z, 0.0, 1.0).sum()
        return total + normal.logpdf(d.y, p.mu + p.tau * p.z, d.s).sum()

    data = {"y": np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), "s": np.array([15.0, 10, 16, 11, 9, 11, 10, 18])}
    return nb.Model({"mu": nb.real(), "tau": nb.positive(), "z": nb.real(8)}, logp=logp, data=data)


def logistic():
    def logp(p, d):
        eta = d.X @ p.b
        return -0.5 * (p.b * p.b).sum() + (d.y * eta - np.log1p(np.exp(eta))).sum()

    data = {"X": RNG.normal(size=(50, 4)), "y": (RNG.random(50) < 0.5).astype(float)}
    return nb.Model({"b": nb.real(4)}, logp=logp, data=data)


def radon():
    def logp(p, d):
        total = normal.logpdf(p.level, 0.0, 2.0) + normal.logpdf(p.floor, 0.0, 2.0)
        total += half_cauchy.logpdf(p.between, 1.0) + half_cauchy.logpdf(p.within, 1.0)
        total += normal.logpdf(p.county, p.level, p.between).sum()
        return total + normal.logpdf(d.y, p.county[d.of] + p.floor * d.x, p.within).sum()

    data = {"y": RNG.normal(size=30), "x": RNG.normal(size=30), "of": RNG.integers(0, 5, 30)}
    supports = {"level": nb.real(), "floor": nb.real(), "between": nb.positive(), "within": nb.positive()}
    return nb.Model(supports | {"county": nb.real(5)}, logp=logp, data=data)


def share():
    def logp(p, d):
        return 3.0 * math.log(p.share) + 5.0 * math.log1p(-p.share) - 0.5 * p.other**2

    def both(p, d):
        return np.array([p.share, p.other])

    return nb.Model({"share": nb.interval(0.0, 1.0), "other": nb.real()}, logp=logp, derived={"both": both})


def bell():
    def logp_grad(p, d, grad):
        total = 0.0
        for i in range(p.x.shape[0]):
            total -= 0.5 * p.x[i] ** 2
            grad.x[i] -= p.x[i]
        return total

    return nb.Model({"x": nb.real(3)}, logp_grad=logp_grad)


def assembled(model, step, others=()):
    from numba import types

    from nbinfer.cuda.chains import python_kernel
    from nbinfer.cuda.offline import assemble
    from nbinfer.cuda.transition import Called

    gradient = step.py_func.__module__.startswith(("nbinfer.mcmc.hamiltonian", "nbinfer.mcmc.ensemble"))
    called = Called(density=1 * gradient, value=2 * (not gradient), record=3, steps=[step], inner=[], others=others)
    kernel = python_kernel(model.bind(1).on_device(), called)
    return assemble(kernel, types.void(*[types.int64] * 7, *[types.int64[::1]] * 3))


@pytest.mark.parametrize(
    ("make", "step", "registers", "stack"),
    [(logistic, slices.step, 160, 1000), (share, metropolis.step, 160, 1000),
     pytest.param(bell, hmc.step, 170, 1400, marks=pytest.mark.slow),
     (bell, chees.step, 170, 1000), (logistic, mams.step, 180, 1000),
     pytest.param(radon, chees.step, 180, 1600, marks=pytest.mark.slow),
     pytest.param(schools, nuts.step, 180, 2000, marks=pytest.mark.slow)],
)  # fmt: skip
def test_chains_compile(make, step, registers, stack):
    code = assembled(make(), step)
    assert code.registers <= registers
    assert code.stack <= stack
    assert "malloc" not in code.ptx
    assert "NRT" not in code.ptx


@pytest.mark.parametrize("function", [function for function, _ in nb.ChEES.together])
def test_what_chains_learn_together_compiles(function):
    from numba import types

    from nbinfer.cuda.offline import assemble
    from nbinfer.cuda.phases import python_kernel

    code = assemble(python_kernel(function), types.void(*[types.int64] * 4))
    assert code.registers <= 180
    assert code.stack <= 64
    assert "NRT" not in code.ptx


@pytest.mark.slow
@pytest.mark.parametrize("step", [nuts.step, mams.step])
def test_all_that_steps_may_call_compiles(step):
    from nbinfer.cuda.transition import climb, look_at, watch

    code = assembled(bell(), step, [climb, look_at, watch])
    assert code.registers <= 200
    assert code.stack <= 2000


@pytest.mark.parametrize("make", [schools, radon, bell])
def test_densities_compile(make):
    from numba import types

    from nbinfer.cuda.model import density_of
    from nbinfer.cuda.offline import assemble

    density = density_of(make().bind(1))

    def kernel(n, position, grad, context, logp):
        logp[0] = density(n, position, grad, context)

    code = assemble(kernel, types.void(*[types.int64] * 4, types.float64[::1]))
    assert code.registers <= 200
    assert code.stack <= 1300
    assert "NRT" not in code.ptx


def test_what_returns_arrays_compiles_and_only_what_is_ours():
    from numba import types

    from nbinfer.cuda.device import Device
    from nbinfer.cuda.offline import assemble
    from nbinfer.cuda.transition import choice

    device = Device({"": {"call_step": choice("call_step", [])}})
    record = device.function(share().bind(1).on_device()["record"])

    def kernel(n, position, row, context, status):
        status[0] = record(n, position, row, context)

    code = assemble(kernel, types.void(*[types.int64] * 4, types.int64[::1]))
    assert "NRT" not in code.ptx
    from numba.cuda.target import CUDATargetContext

    assert CUDATargetContext.enable_nrt.fget.__module__ == "numba.cuda.target"


def test_a_gradient_that_allocates_is_refused_with_its_line():
    from nbinfer.cuda.suitable import explained

    def logp_grad(p, d, grad):
        steps = np.zeros(p.x.shape[0])
        grad.x[:] -= steps
        return 0.0

    model = nb.Model({"x": nb.real(3)}, logp_grad=logp_grad)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the compiler's
        assembled(model, slices.step)
    said = str(explained(caught.value, model.definition))
    assert said.startswith("Numba cannot compile for a GPU logp_grad")
    assert "test_machine_code_of_chains.py, line" in said
    assert "steps = np.zeros" in said
    assert "A GPU has no memory to allocate from" in said
    assert isinstance(explained(caught.value, model.definition), CompileError)


def test_every_twin_has_a_form_for_a_gpu_or_a_reason():
    from nbinfer.compile import memory
    from nbinfer.compile.cuda_lowered import REFUSED, forms
    from nbinfer.compile.kernels import Twin

    twins = {thing.py_func.__name__ for thing in vars(memory).values() if isinstance(thing, Twin)}
    chosen = {"call_density", "call_record", "call_step"}
    assert twins - set(forms(backend.intrinsic())) - chosen == set(REFUSED)


def test_what_raises_is_told():
    from numba import types

    from nbinfer.compile import attempt, kernel
    from nbinfer.cuda.device import Device
    from nbinfer.cuda.offline import assemble

    @kernel
    def refuses(x):
        if x > 1.0:
            raise ValueError
        return 2.0 * x

    @kernel
    def tried(x):
        failed, value = attempt(refuses, (x,))
        return -7.0 if failed else value

    tried_there = Device().function(tried)

    def run(x, out):
        out[0] = tried_there(x)

    code = assemble(run, types.void(types.float64, types.float64[::1]))
    assert "0dC01C000000000000" in code.ptx  # -7, which is chosen where it raises
    assert tried.py_func(0.5) == 1.0
    assert tried.py_func(1.5) == -7.0
