"""Kernels of chains compile for Hopper, and models with them: in how many registers, and how much local memory."""

import numpy as np
import pytest

import nbinfer as nb
from bench.cuda_code import MODELS, code_of, code_of_chains
from nbinfer.compile import JIT
from nbinfer.cuda import backend
from nbinfer.errors import CompileError

#: Registers at most, and bytes of local memory at most, with each of five models.
MOST = {
    "scores": (200, 1300),
    "Metropolis": (160, 1200),
    "Slice": (160, 1400),
    "ChEES": (180, 1500),
    "MAMS": (180, 1500),
    "HMC": (180, 2000),
    "NUTS": (180, 2000),
}
#: What is compiled each time: one model with scores, and each step but those that take longest with a model.
OFTEN = {("scores", "radon"), ("Metropolis", "share"), ("Slice", "bell"), ("ChEES", "bell"), ("MAMS", "bell")}

pytestmark = [
    pytest.mark.skipif(not backend.has_package(), reason="numba-cuda is not installed: pip install 'nbinfer[cuda]'"),
    pytest.mark.skipif(not JIT, reason="what is written for plain Python is not compiled"),
]


@pytest.mark.parametrize(
    ("kernel", "model"),
    [
        pytest.param(kernel, model, marks=() if (kernel, model) in OFTEN else pytest.mark.slow)
        for kernel in MOST
        for model in MODELS
    ],
)
def test_kernels_compile_with_models(kernel, model):
    code = code_of(kernel, model)
    registers, stack = MOST[kernel]
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
@pytest.mark.parametrize("step", ["NUTS", "MAMS"])
def test_all_that_steps_may_call_compiles(step):
    from nbinfer.cuda.transition import climb, look_at, watch

    code = code_of_chains(MODELS["bell"](), step, [climb, look_at, watch])
    assert code.registers <= 200
    assert code.stack <= 2000


def test_what_calls_nothing_by_address_is_made_once_for_all_kernels():
    from nbinfer.cuda.device import Device
    from nbinfer.cuda.transition import choice
    from nbinfer.engine.chain import comparable, value_at

    one, other = (Device({"": {"call_density": choice("call_density", [])}}) for _ in range(2))
    assert one.function(value_at) is one.function(value_at)
    assert one.function(value_at) is not other.function(value_at)
    assert one.function(comparable) is other.function(comparable)


def test_what_returns_arrays_compiles_and_only_what_is_ours():
    from numba import types

    from nbinfer.cuda.device import Device
    from nbinfer.cuda.offline import assemble
    from nbinfer.cuda.transition import choice

    device = Device({"": {"call_step": choice("call_step", [])}})
    record = device.function(MODELS["share"]().bind(1).on_device()["record"])

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
        code_of_chains(model, "Slice")
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
