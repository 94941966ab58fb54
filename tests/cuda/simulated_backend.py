"""The simulator is there, with the package or without it, and knows what kernels use."""

import threading
import time

import numpy as np
import pytest

from nbinfer.cuda import backend
from nbinfer.cuda.backend import compiled, cuda
from nbinfer.errors import CudaError


def test_a_kernel_runs():
    def double(x):
        i = cuda.grid(1)
        shared = cuda.shared.array(4, np.float64)
        shared[cuda.threadIdx.x] = x[i]
        cuda.syncthreads()
        x[i] = 2.0 * shared[cuda.threadIdx.x]

    assert backend.simulated()
    x = backend.require().to_device(np.arange(8.0))
    compiled(double, fastmath=True, max_registers=32)[2, 4](x)
    assert x.copy_to_host().tolist() == (2 * np.arange(8.0)).tolist()


def test_threads_that_ask_at_the_same_moment_share_an_array(monkeypatch):
    def add(x):
        shared = cuda.shared.array(1, np.int64)
        if cuda.threadIdx.x == 0:
            shared[0] = 7
        cuda.syncthreads()
        x[cuda.threadIdx.x] = shared[0]

    empty = np.empty

    def slow(*args, **options):
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)  # meanwhile all others ask
        return empty(*args, **options)

    x = cuda.to_device(np.zeros(4, np.int64))
    monkeypatch.setattr(np, "empty", slow)
    compiled(add)[1, 4](x)
    assert x.copy_to_host().tolist() == [7, 7, 7, 7]


def test_it_has_memory_without_end():
    backend.check_memory(2**60, "anything")


def test_it_compiles_nothing():
    with pytest.raises(CudaError, match="the simulator compiles nothing"):
        backend.compiler()
