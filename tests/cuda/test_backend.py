"""What is missing for CUDA is said, each by a message of its own that names the remedy; nothing falls back."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda import backend
from nbinfer.errors import CudaError


def test_nothing_is_imported_before_it_is_asked_for():
    assert "cuda" not in vars(backend)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = backend.other


def test_the_package(monkeypatch):
    monkeypatch.setattr(backend, "has_package", lambda: False)
    monkeypatch.setattr(backend, "simulated", lambda: False)
    for ask in (backend.require.__wrapped__, backend.compiler):
        with pytest.raises(CudaError, match=r"needs the package numba-cuda\. pip install 'nbinfer\[cuda\]'") as caught:
            ask()
        assert caught.value.missing == "package"


BELL = {"parameters": {"x": nb.real(2)}, "logp": lambda p, d: -0.5 * np.sum(p.x**2)}


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: nb.sample(model, 5, backend="cuda", progressbar=False),
        lambda model: nb.SVGD(20, model=model, backend="cuda"),
        lambda model: nb.fit(5, method="svgd", model=model, backend="cuda", progressbar=False),
    ],
    ids=["sample", "SVGD", "fit"],
)
def test_the_package_is_missed_at_once_and_nothing_falls_back(monkeypatch, ask):
    monkeypatch.setattr(backend, "has_package", lambda: False)
    monkeypatch.setattr(backend, "simulated", lambda: False)
    backend.require.cache_clear()
    model = nb.Model(**BELL)
    monkeypatch.setattr(nb.Model, "bind", None)  # nothing is compiled, and nothing evaluated
    with pytest.raises(CudaError, match="needs the package numba-cuda") as caught:
        ask(model)
    assert caught.value.missing == "package"


def test_what_does_not_ask_for_it_imports_nothing_of_it():
    text = """
import sys
import nbinfer as nb
nb.SVGD(20, model=nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2))
assert not [name for name in sys.modules if name.startswith(("numba.cuda", "numba_cuda", "nbinfer.cuda"))]
"""
    subprocess.run([sys.executable, "-c", text], check=True)


def test_a_package_that_cannot_be_imported(monkeypatch):
    had = hasattr(np, "row_stack")
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    monkeypatch.delattr(sys.modules["numba"], "cuda", raising=False) if "numba" in sys.modules else None
    with pytest.raises(CudaError, match="cannot be imported") as caught:
        backend._numba_cuda.__wrapped__()
    assert caught.value.missing == "package"
    assert hasattr(np, "row_stack") == had


def driver(error=None, version=(13, 0)):
    return SimpleNamespace(is_available=error is None, initialization_error=error, get_version=lambda: version)


@pytest.mark.parametrize(
    ("found", "missing", "says"),
    [
        (driver("CUDA driver library cannot be found."), "driver", "Install one that knows CUDA 13.0"),
        (driver(version=(12, 4)), "driver", "knows CUDA 12.4, and 13.0 is needed. Install a later driver"),
        (driver("CUDA_ERROR_NO_DEVICE (100)"), "device", "no GPU is visible"),
        (driver("no device (100)"), "device", "no GPU is visible"),
    ],
)
def test_the_driver(found, missing, says):
    with pytest.raises(CudaError) as caught:
        backend.check_driver(found)
    assert caught.value.missing == missing
    assert says in str(caught.value)
    assert "leave backend out" in str(caught.value)


def test_a_driver_that_will_do():
    backend.check_driver(driver(version=(13, 1)))


def test_the_device(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(CudaError, match="CUDA_VISIBLE_DEVICES is '', which hides others") as caught:
        backend.check_device(SimpleNamespace(gpus=[]))
    assert caught.value.missing == "device"

    def fails():
        raise RuntimeError("CUDA_ERROR_DEVICE_UNAVAILABLE")

    with pytest.raises(CudaError, match="does not answer: CUDA_ERROR_DEVICE_UNAVAILABLE") as caught:
        backend.check_device(SimpleNamespace(gpus=[1], current_context=fails))
    assert caught.value.missing == "device"


def test_the_compiler():
    def fails():
        raise ImportError("libnvvm.so cannot be found")

    with pytest.raises(CudaError, match=r"libNVVM.*cannot be loaded: libnvvm\.so cannot be found") as caught:
        backend._check_compiler(SimpleNamespace(NVVM=fails))
    assert caught.value.missing == "nvvm"


def test_the_memory(monkeypatch):
    context = SimpleNamespace(get_memory_info=lambda: (2**30, 4 * 2**30))
    monkeypatch.setattr(backend, "require", lambda: SimpleNamespace(current_context=lambda: context))
    backend.check_memory(2**30, "1000 particles")
    with pytest.raises(
        CudaError, match=r"1000 particles take 2\.00 GiB of the GPU's memory, of which 1\.00 of 4\.00"
    ) as c:
        backend.check_memory(2**31, "1000 particles")
    assert c.value.missing == "memory"
