"""Fits of streams, encoders, rows and forces that are gone on with."""

import numpy as np
import pytest

import nbinfer as nb
from tests.variational.checkpoint.test_resume_fits import (
    AT,
    Leaving,
    N,
    assert_same,
    each,
    model,
    prior_of_x,
    snapshots,  # noqa: F401
)
from tests.variational.local_models import FAST, local, one_factor

pytestmark = [
    pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning"),
    pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning"),
]


def of_rows(rows):
    data = {"y": nb.Minibatch(rows, batch_size=5)}
    terms = {"prior": prior_of_x, "likelihood": {"y": each}}
    return nb.ADVI(model=nb.Model({"x": nb.real(3)}, data=data, total_size={"y": 20}, **terms), random_seed=4)


def memory_map(folder):
    np.save(folder / "y.npy", np.arange(20.0))
    return of_rows(np.load(folder / "y.npy", mmap_mode="r"))


def dataset(folder):
    import h5py

    if not (folder / "y.h5").exists():
        with h5py.File(folder / "y.h5", "w") as file:
            file["y"] = np.arange(20.0)
    return of_rows(h5py.File(folder / "y.h5")["y"])


def encoders(folder):
    return nb.KLqp(local(one_factor(batch=10), random_seed=4))


def by_rows(p, d):
    return -0.5 * np.sum(p.w**2)


def rows(folder):
    m = nb.Model({"w": nb.real((4, 2))}, logp=by_rows)
    group = nb.Group(["w"], "full_rank", rowwise=True, model=m)
    return nb.KLqp(nb.Approximation(group, m, random_seed=4))


def forces(folder):
    return nb.ImplicitGradient(nb.MeanField(model=model(), random_seed=4), cores=1)


CASES = {
    "memory map": (memory_map, {}),
    "h5py": (dataset, {}),
    "encoders": (encoders, {"obj_optimizer": FAST, "more_obj_params": ["a"]}),
    "rows": (rows, {}),
    "forces": (forces, {"obj_n_mc": 4}),
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_is_gone_on_with_is_the_same(name, tmp_path, snapshots):  # noqa: F811
    make, options = CASES[name]
    path, whole = tmp_path / "fit.nc", make(tmp_path)
    leaving = Leaving(path, AT)
    whole.fit(N, callbacks=[leaving], checkpoint=path, progressbar=False, **options)
    again = make(tmp_path)
    given = {"method": again, "callbacks": [leaving], "progressbar": False}
    resumed = nb.resume(path.with_name("left.nc"), again.approx.model, **given)
    assert_same(resumed, whole.approx)
