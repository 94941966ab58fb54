"""Steps that go on where warm-up has left them."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc import QuadPotentialDiag, QuadPotentialFull, QuadPotentialLowRank
from tests.mcmc.test_resume import continuous

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

N = 12
DRAWS, TUNE = (200, 300) if JIT else (10, 30)
SCALES = np.geomspace(0.1, 10.0, N)


def logp(p, d):
    """Two correlated pairs of scales from a tenth to ten."""
    z = p.x / d.scales
    apart, together = z[0] - z[1], z[0] + z[1]
    return -0.5 * (apart**2 / 0.02 + together**2 / 4.0 + np.sum(z[2:] ** 2))


def correlated():
    return nb.Model({"x": nb.real(N)}, logp=logp, data={"scales": SCALES})


def run(step, **options):
    return nb.sample(correlated(), DRAWS, TUNE, chains=2, step=step, random_seed=3, progressbar=False, **options)


STEPS = {
    "fisher": (nb.NUTS(max_treedepth=8), QuadPotentialLowRank),
    "fisher_diag": (nb.NUTS(metric="fisher_diag", target_accept=0.9), QuadPotentialDiag),
    "dense": (nb.NUTS(metric="dense"), QuadPotentialFull),
    "hmc": (nb.HamiltonianMC(metric="fisher_diag", path_length=1.5, integrator="twostage"), QuadPotentialDiag),
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", STEPS)
def test_a_run_goes_on_without_warm_up(name):
    step, kind = STEPS[name]
    trace = run(step)
    again = trace.settled_step()
    for setting in ("target_accept", "integrator", "max_treedepth" if name != "hmc" else "path_length"):
        assert getattr(again, setting) == getattr(step, setting)
    assert type(again) is type(step)
    if JIT:
        assert isinstance(again.kinetic, kind)
    chosen = trace.chain_ids[int(np.argsort(trace.step_size, kind="stable")[0])]
    fixed, learnt = again.kinetic.inv_mass, trace.metric.inv_mass(chosen)
    assert np.allclose(fixed, np.diagonal(learnt) if fixed.ndim == 1 else learnt, rtol=1e-8, atol=1e-12)
    start = [trace.point(-1, chain) for chain in trace.chain_ids]
    more = nb.sample(correlated(), DRAWS, tune=0, chains=2, step=again, start=start, random_seed=4, progressbar=False)
    assert np.allclose(more.step_size, trace.step_size.min(), rtol=1e-12)
    assert np.allclose(more.metric.inv_mass(0), trace.metric.inv_mass(chosen), rtol=1e-8, atol=1e-12)
    if JIT:
        assert abs(more.sample_stats["acceptance_rate"].mean() - step.target_accept) < 0.15
        assert np.allclose(more["x"].std(axis=(0, 1))[2:], SCALES[2:], rtol=0.4)


@pytest.mark.nojit  # long as plain Python
def test_chains_settings_and_several_steps():
    steps = [nb.NUTS("x"), nb.HamiltonianMC("s", metric="fisher_diag"), nb.Slice()]
    trace = nb.sample(continuous(), 5, 40, chains=2, step=steps[:2], random_seed=1, progressbar=False)
    assert trace.step_size.shape == (2, 2)
    of_x, of_s = trace.settled_step(1, step_rand=0.1)
    assert (type(of_x), of_x.vars, type(of_s), of_s.vars) == (nb.NUTS, ["x"], nb.HamiltonianMC, ["s"])
    assert of_x.step_scale == trace.step_size[1, 0] * 3**0.25
    assert of_x.step_rand == of_s.step_rand == 0.1
    for chain in (2, True, "a", 0.5):
        with pytest.raises(ValueError, match=r"chain must be among 0, 1|chain must be among 0 and 1"):
            trace.settled_step(chain)
    with pytest.raises(TypeError, match="max_treedept"):
        trace.settled_step(max_treedept=3)
    slices = nb.sample(continuous(), 5, 5, chains=1, step=nb.Slice(), random_seed=1, progressbar=False)
    with pytest.raises(ValueError, match="no step sizes"):
        slices.step_size  # noqa: B018
    with pytest.raises(ValueError, match="no metric of a Hamiltonian step"):
        slices.settled_step()


def low_rank():
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(rng.normal(size=(N, 2)))[0].T
    return QuadPotentialLowRank(SCALES, directions, [30.0, 0.01], random_seed=1)


def test_a_metric_of_directions_is_its_matrix():
    low, momentum = low_rank(), np.random.default_rng(2).normal(size=N)
    full = QuadPotentialFull(low.inv_mass)
    assert np.allclose(low.velocity(momentum), full.velocity(momentum))
    assert low.energy(momentum) == pytest.approx(full.energy(momentum))
    draws = np.array([low.random() for _ in range(4000 if JIT else 500)])
    whitened = draws @ np.linalg.cholesky(low.inv_mass)  # of the mass: its covariance is the identity
    assert np.allclose(whitened.T @ whitened / len(draws), np.eye(N), atol=0.12 if JIT else 0.4)


def test_what_is_no_metric_of_directions():
    good = (np.ones(3), np.eye(3)[:2], np.ones(2))
    for place, value, match in (
        (0, [1.0, 0.0, 1.0], "scale"),
        (1, np.eye(2), r"directions must have shape \(rank, 3\)"),
        (1, np.ones((2, 3)), "directions must be orthonormal"),
        (2, [1.0], r"eigenvalues must have shape \(2,\)"),
        (2, [1.0, -1.0], "eigenvalues must be positive, got -1"),
    ):
        arguments = [*good]
        arguments[place] = value
        with pytest.raises((ValueError, PositiveDefiniteError), match=match):
            QuadPotentialLowRank(*arguments)
