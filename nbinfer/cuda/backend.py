"""What CUDA is on this machine: the only file that knows `numba.cuda`.

With ``NUMBA_ENABLE_CUDASIM=1`` it is Numba's simulator, which runs kernels as plain Python, a thread of Python for each
thread. Otherwise it is the package numba-cuda, which needs a driver and a device. What is missing is said; nothing here
falls back to something else.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nbinfer.errors import CudaError

#: What installs all that is needed but the driver.
INSTALL = "pip install 'nbinfer[cuda]'"
#: The oldest CUDA that a driver must know for that.
_CUDA = (13, 0)

_OR_ELSE = "leave backend out to run on the processor"


def simulated() -> bool:
    """Tell whether kernels run in the simulator; that is settled when Numba is imported."""
    from numba.core import config

    settings: Any = config  # whose names are set when it is imported
    return bool(settings.ENABLE_CUDASIM)


def __getattr__(name: str) -> Any:
    if name != "cuda":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _numba_cuda()


@functools.cache
def _numba_cuda() -> Any:
    """Import `numba.cuda`, the package's or, without that, the one that is part of Numba."""
    # numba-cuda overloads np.row_stack, which NumPy 2.5 no longer has.
    lacking = not hasattr(np, "row_stack")
    if lacking:
        np.row_stack = np.vstack  # noqa: NPY201
    try:
        from numba import cuda

        if getattr(cuda, "implementation", "") == "NVIDIA" and not simulated():
            importlib.import_module("numba.cuda.np.arrayobj")
    except ImportError as reason:
        raise CudaError("package", f"numba.cuda cannot be imported: {reason}. {INSTALL}; or {_OR_ELSE}.") from reason
    finally:
        if lacking:
            del np.row_stack  # noqa: NPY201
    if simulated():
        _share_arrays()
    return cuda


def _share_arrays() -> None:
    """Have threads of the simulator that ask for a shared array at the same moment get the same one.

    It looks whether the array is there, and makes it if not: a thread that comes in between would have one of its own.
    """
    api: Any = importlib.import_module("numba.cuda.simulator.kernelapi")
    lock, simulators = threading.Lock(), api.FakeCUDAShared

    class Shared(simulators):  # type: ignore[misc, valid-type]
        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._made: dict[tuple[str, int], Any] = {}

        def array(self, shape: Any, dtype: Any, *more: Any, **options: Any) -> Any:
            asks = sys._getframe(1)
            place = asks.f_code.co_filename, asks.f_lineno
            with lock:
                if place not in self._made:
                    self._allocations.clear()  # where what is made here would be known by this line
                    self._made[place] = super().array(shape, dtype, *more, **options)
                return self._made[place]

    api.FakeCUDAShared = Shared


def has_package() -> bool:
    """Tell whether numba-cuda is installed; what is part of Numba itself does for the simulator alone."""
    return importlib.util.find_spec("numba_cuda") is not None


def compiler() -> Any:
    """Return `numba.cuda` as a compiler, which needs neither driver nor device.

    Raises
    ------
    CudaError
        If the package or libNVVM is missing.
    """
    if simulated():
        raise CudaError(
            "package", "the simulator compiles nothing; start Python without NUMBA_ENABLE_CUDASIM for machine code."
        )
    if not has_package():
        raise CudaError("package", f'backend="cuda" needs the package numba-cuda. {INSTALL}; or {_OR_ELSE}.')
    cuda = _numba_cuda()
    _check_compiler(importlib.import_module("numba.cuda.cudadrv.nvvm"))
    return cuda


def _check_compiler(nvvm: Any) -> None:
    """Raise what is wrong with libNVVM."""
    try:
        nvvm.NVVM()
    except Exception as reason:
        text = " ".join(str(reason).split())
        raise CudaError(
            "nvvm",
            f"libNVVM, which makes code for the GPU, cannot be loaded: {text}. {INSTALL}, or set CUDA_HOME to the "
            f"folder of a CUDA toolkit; or {_OR_ELSE}.",
        ) from reason


@functools.cache
def require() -> Any:
    """Return `numba.cuda`, ready to run kernels: on a device, or in the simulator.

    Raises
    ------
    CudaError
        If package, driver, device or libNVVM is missing; `CudaError.missing` tells which, the message what to do.
    """
    if simulated():
        return _numba_cuda()
    if not has_package():
        return compiler()  # which says so
    cuda = _numba_cuda()
    check_driver(importlib.import_module("numba.cuda.cudadrv.driver").driver)
    check_device(cuda)
    return compiler()


def check_driver(driver: Any) -> None:
    """Raise what is wrong with the driver of NVIDIA, if something is.

    Parameters
    ----------
    driver : object
        `numba.cuda.cudadrv.driver.driver`.
    """
    try:
        available = driver.is_available
    except ImportError:  # so does numba.cuda call an error of cuInit
        available = False
    if not available:
        reason = " ".join(str(driver.initialization_error).split())
        if "NO_DEVICE" in reason.upper().replace(" ", "_"):
            _no_device(reason)
        raise CudaError(
            "driver",
            f"no driver of NVIDIA can be used here: {reason} Install one that knows CUDA {_CUDA[0]}.{_CUDA[1]} "
            f"(nvidia-smi must list the GPU), or {_OR_ELSE}; NUMBA_ENABLE_CUDASIM=1 runs kernels in a simulator, to "
            "test them.",
        )
    known = tuple(driver.get_version())
    if known < _CUDA:
        raise CudaError(
            "driver",
            f"the driver of NVIDIA knows CUDA {known[0]}.{known[1]}, and {_CUDA[0]}.{_CUDA[1]} is needed. Install a "
            f"later driver, or {_OR_ELSE}.",
        )


def check_device(cuda: Any) -> None:
    """Raise that there is no GPU, or none that answers.

    Parameters
    ----------
    cuda : module
    """
    try:
        number = len(cuda.gpus)
        if number:
            cuda.current_context()
    except Exception as reason:
        raise CudaError(
            "device",
            f"a GPU is there and does not answer: {' '.join(str(reason).split())}. See what else uses it "
            f"(nvidia-smi), choose another one (CUDA_VISIBLE_DEVICES), or {_OR_ELSE}.",
        ) from reason
    if not number:
        _no_device("the driver lists none")


def _no_device(reason: str) -> None:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = f" CUDA_VISIBLE_DEVICES is {visible!r}, which hides others." if visible is not None else ""
    raise CudaError("device", f"no GPU is visible: {reason}.{hidden} Run where there is one, or {_OR_ELSE}.")


def check_memory(needed: int, what: str) -> None:
    """Raise CudaError if the device has not that much memory left, before anything is put there.

    Parameters
    ----------
    needed : int
        Bytes.
    what : str
        What they are for, and what makes them fewer, for the message.
    """
    free, total = require().current_context().get_memory_info()
    if needed > free:
        raise CudaError(
            "memory",
            f"{what} take {needed / 2**30:.2f} GiB of the GPU's memory, of which {free / 2**30:.2f} of "
            f"{total / 2**30:.2f} GiB are free. Take fewer, free some (nvidia-smi tells who has it), or {_OR_ELSE}.",
        )


def compiled(
    function: Callable[..., Any], *, device: bool = False, fastmath: bool = False, max_registers: int | None = None
) -> Any:
    """Make a kernel, or a function for kernels, of a Python function.

    Parameters
    ----------
    function : callable
    device : bool
        Whether kernels call it, not the host.
    fastmath : bool
        Approximate division, roots and exponentials, contract, and flush what is below the normal range; NaN means
        nothing then.
    max_registers : int, optional
        Of a thread.
    """
    cuda = _numba_cuda()
    if simulated():  # whose device functions change the globals of their module, whatever other threads do there
        return function if device else cuda.jit(function)
    options: dict[str, Any] = {} if max_registers is None else {"max_registers": max_registers}
    return cuda.jit(device=device, fastmath=fastmath, **options)(function)


@contextlib.contextmanager
def launching() -> Iterator[None]:
    """Keep numba-cuda from saying that a launch has few threads, and let functions return views.

    Whoever launches has said the first. As to the second, numba-cuda lets a function return no array but its arguments,
    lest it be one that it has allocated; what ours make lies in an arena.
    """
    if simulated():
        yield
        return
    _numba_cuda()
    config: Any = importlib.import_module("numba.cuda.core.config")
    before, config.CUDA_LOW_OCCUPANCY_WARNINGS = config.CUDA_LOW_OCCUPANCY_WARNINGS, 0
    try:
        with returning_views():
            yield
    finally:
        config.CUDA_LOW_OCCUPANCY_WARNINGS = before


@contextlib.contextmanager
def returning_views() -> Iterator[None]:
    """Let the compiler pass functions that return arrays; it asks whether these can be counted."""
    context: Any = importlib.import_module("numba.cuda.target").CUDATargetContext
    before = context.enable_nrt

    def enable_nrt(self: Any) -> bool:
        return bool(before.fget(self)) or sys._getframe(1).f_code.co_name == "legalize_return_type"

    context.enable_nrt = property(enable_nrt)
    try:
        yield
    finally:
        context.enable_nrt = before


def intrinsic() -> Any:
    """Return the decorator of functions whose code for the GPU is written by hand."""
    _numba_cuda()
    return importlib.import_module("numba.cuda.extending").intrinsic


def functions_of_numbers() -> dict[Any, Any]:
    """Return what computes for a GPU, of numbers, what functions of NumPy's do that the compiler does not know."""
    _numba_cuda()
    library = importlib.import_module("numba.cuda.libdevice")
    names = ("rint", "floor", "ceil", "trunc", "sqrt", "exp", "exp2", "expm1", "log1p", "cbrt")
    return {getattr(np, name): getattr(library, name) for name in names}


def address_of(array: Any) -> int:
    """Return where an array of the device begins in its memory."""
    if simulated():
        return int(array.ctypes.data)
    return int(array.__cuda_array_interface__["data"][0])


@contextlib.contextmanager
def pretending(capability: tuple[int, int]) -> Iterator[Any]:
    """Have the compiler believe in a GPU of a compute capability, as functions for kernels ask which there is."""
    cuda = compiler()
    modules: list[Any] = [importlib.import_module(f"numba.cuda.{name}") for name in ("dispatcher", "compiler")]
    before = [module.get_current_device for module in modules]
    for module in modules:
        module.get_current_device = lambda: types.SimpleNamespace(compute_capability=capability)
    try:
        with returning_views():
            yield cuda
    finally:
        for module, function in zip(modules, before, strict=True):
            module.get_current_device = function
