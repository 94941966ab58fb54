"""What a function is compiled to depends on nothing but itself: not on who asks first, nor on what a caller may do."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import entry
from nbinfer.compile.users import compilable

pytestmark = pytest.mark.nojit
ROOT = Path(__file__).parent.parent.parent


def alike(task, folder):
    """Compile callers first, and in another process what they call first; return how many kernels that were."""
    found = []
    for which in (task, "again"):
        file = folder / "found.pickle"
        subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.compile.order", which, file], check=True, cwd=ROOT)
        found.append(pickle.loads(file.read_bytes()))
    assert found[0] == found[1]
    return len(found[0])


def test_kernels_are_the_same_code_whoever_asks_first(tmp_path):
    assert alike("sample", tmp_path) > 20


@pytest.mark.slow
def test_all_kernels_are_the_same_code_whoever_asks_first(tmp_path):
    assert alike("everything", tmp_path) > 200


def plainly(x):
    """Round a number by an addition that may not be reordered."""
    return (x + 2.0**52) - 2.0**52


def test_what_a_users_function_may_do_is_not_handed_down():
    from numba import njit

    @njit(fastmath={"reassoc", "nsz"})
    def loose(x):
        return 100.0 * plainly(x) + (10.0 if nb.vectormath.is_whole(x) else 0.0) + ((x + 2.0**52) - 2.0**52)

    users = compilable(loose)

    @entry("float64(intp)")
    def call(double):
        return users(0.5 * double)

    assert call(5) == 202.5  # its own sum is reordered, as it asked; what it calls is not


def test_checked_indices_stay_checked_in_derived_gradients():
    from numba import njit

    @njit(boundscheck=True)
    def element(x, i):
        return x[i]

    def logp(p, d):
        return -0.5 * np.sum(p.x**2) + element(p.x, 5 if p.x[0] > 0.5 else 0)

    @njit(boundscheck=True)
    def flat(x):
        return -0.5 * np.sum(x**2) + 0.0 * x[-7 if x[0] > 0.5 else 0]

    for model in (nb.Model({"x": nb.real(3)}, logp=logp), nb.Model.flat(flat, dim=3)):
        bound = model.bind(1)
        assert bound.has_gradient == "derived"
        assert np.isfinite(bound.value_and_grad(np.zeros(3))[0])
        assert bound.failure(1) is None
        assert bound.value_and_grad(np.ones(3))[0] == -np.inf
        np.testing.assert_array_equal(bound.failure(1), np.ones(3))
        with pytest.raises(IndexError):
            bound.replay(np.ones(3))
