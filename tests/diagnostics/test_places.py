"""Funnels and regions that hold a chain: each is told, from the other and from divergences that are neither."""

import numpy as np
import pytest

from nbinfer.diagnostics import Kind, check
from tests.diagnostics.runs import a_run

pytestmark = pytest.mark.nojit

SHAPE = (4, 600)


def run_of(diverging=None, energy=None, **parameters):
    """Make a run of these parameters with nothing else wrong."""
    run = a_run(*SHAPE, posterior=parameters)
    run.attrs["parameters"] = list(parameters)
    run.sample_stats["lp"] = np.random.default_rng(9).normal(size=SHAPE)
    if diverging is not None:
        run.sample_stats["diverging"] = diverging
    if energy is not None:
        run.sample_stats["energy"] = energy
    return run


def message(run, kind=Kind.DIVERGENCES):
    return next(p.message for p in check(run).problems if p.kind is kind)


def at_the_lowest(values, count=40):
    return values <= np.sort(values, axis=None)[count - 1]


@pytest.fixture
def rng():
    return np.random.default_rng(1)


# ---- funnels


def spread_by(rng, scale, kind):
    """Draw something whose spread is `scale`."""
    z = rng.normal(size=(*SHAPE, 6))
    if kind == "a hierarchy":
        return 5.0 * rng.normal(size=(*SHAPE, 1)) + scale[..., None] * z, "x"
    if kind == "a random walk":
        return 5.0 * rng.normal(size=(*SHAPE, 1)) + np.cumsum(scale[..., None] * z, axis=2), "x"
    if kind == "a column":
        return np.stack([z, scale[..., None] * z[..., ::-1]], axis=3), "x[:,1]"
    if kind == "a row":
        return np.stack([z, scale[..., None] * z[..., ::-1]], axis=2), "x[1,:]"
    return 3.0 + scale * z[..., 0], "x"


KINDS = ["a hierarchy", "a random walk", "a column", "a row", "a scalar"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_funnel_is_told_with_its_scale_and_what_it_spreads(rng, kind):
    tau = np.exp(1.5 * rng.normal(size=SHAPE))
    x, name = spread_by(rng, tau, kind)
    low = at_the_lowest(tau)
    text = message(run_of(low, other=rng.normal(size=SHAPE), x=x, tau=tau))
    assert f"{name} closes in where tau is small, and there chains diverge (half of the times below " in text
    assert f"below {np.median(tau[low]):.3g}): a funnel" in text
    assert f"Write {name} non-centred: parameters whose scale is fixed, and {name} computed from them and tau" in text
    assert text.endswith("if it is so already, give tau a prior that keeps it from there.")
    assert "Raise target_accept" not in text


def test_the_scale_may_be_a_logarithm_an_element_or_a_precision(rng):
    v = 3.0 * rng.normal(size=(*SHAPE, 2))
    x = np.exp(0.5 * v[..., 1:]) * rng.normal(size=(*SHAPE, 5))
    run = run_of(at_the_lowest(v[..., 1]), v=v, x=x)
    assert "x closes in where v[1] is small" in message(run)
    run.dims, run.coords = {"v": ["part"]}, {"part": ["a", "b"]}
    assert "x closes in where v[b] is small" in message(run)
    precision = np.exp(-v[..., 1])
    text = message(run_of(at_the_lowest(-precision), precision=precision, x=x))
    assert "x closes in where precision is large, and there chains diverge (half of the times above " in text
    assert "if it is so already, write it centred" in text


def test_divergences_elsewhere_are_no_funnels_unless_energy_is_low_too(rng):
    tau = np.exp(1.5 * rng.normal(size=SHAPE))
    x, _ = spread_by(rng, tau, "a hierarchy")
    high = at_the_lowest(-tau)
    assert "funnel" not in message(run_of(high, x=x, tau=tau))
    slow = np.cumsum(rng.normal(size=SHAPE), axis=1)
    text = message(run_of(high, slow, x=x, tau=tau))
    assert "x closes in where tau is small: a funnel" in text  # and not that chains diverge there
    assert "x closes in where tau is small: a funnel" in message(run_of(None, slow, x=x, tau=tau), Kind.BAD_ENERGY)
    assert check(run_of(x=x, tau=tau)).ok  # sampled well, whatever its shape


def test_a_scale_that_hardly_varies_or_sets_nothing_is_none(rng):
    z = rng.normal(size=(*SHAPE, 20))
    known = np.exp(0.25 * rng.normal(size=SHAPE))  # of many data
    assert "funnel" not in message(run_of(at_the_lowest(known), tau=known, x=known[..., None] * z))
    part = np.exp(rng.normal(size=SHAPE))
    whole = part * np.exp(1.7 * rng.normal(size=SHAPE))
    assert "funnel" not in message(run_of(at_the_lowest(part), tau=part, x=whole[..., None] * z))
    wide = np.exp(1.5 * rng.normal(size=SHAPE))
    assert "funnel" not in message(run_of(at_the_lowest(wide), tau=wide, x=z))
    assert "funnel" not in message(run_of(at_the_lowest(wide), x=wide[..., None] * z))  # the scale is not there


def test_it_is_said_once(rng):
    tau = np.exp(1.5 * rng.normal(size=SHAPE))
    tau[2] *= 5.0
    x, _ = spread_by(rng, tau, "a hierarchy")
    report = check(run_of(at_the_lowest(tau), np.cumsum(rng.normal(size=SHAPE), axis=1), x=x, tau=tau))
    assert {Kind.DIVERGENCES, Kind.CONVERGENCE, Kind.BAD_ENERGY} <= {p.kind for p in report.problems}
    assert str(report).count("a funnel") == 1


# ---- regions that hold a chain


def clustered(rng, count=20, first=300, chain=2):
    """Return flags: `count` of 40 draws of one chain, and a stray one."""
    flags = np.zeros(SHAPE, bool)
    flags[chain, first + np.sort(rng.choice(40, count, replace=False))] = True
    flags[chain, [first, first + 39]] = True
    flags[0, 17] = True
    return flags


def test_a_chain_that_was_held_is_told_with_the_place(rng):
    flags = clustered(rng)
    phi, mu = rng.normal(size=(2, *SHAPE))
    phi[2, 300:340] = rng.uniform(4.0, 4.2, 40)
    text = message(run_of(flags, mu=mu, phi=phi, many=rng.normal(size=(*SHAPE, 9))))
    inside = phi[2, 300:340]
    place = f"between draws 300 and 339 of chain 2 (phi {inside.min():.3g} to {inside.max():.3g}): a region"
    assert f"{flags.sum() - 1} of them lie {place}" in text
    assert text.endswith("Raise target_accept to 0.9 (now 0.8); if phi should not be there, give it a stronger prior.")
    flags[0, 17] = False
    run = run_of(flags, mu=mu)
    assert "All lie between draws 300 and 339 of chain 2: a region" in message(run)  # mu is as elsewhere
    assert "look at what is special there" in message(run)


@pytest.mark.parametrize(
    ("target", "better"),
    [(0.9, "0.95 (now 0.9)"), (0.95, "0.99 (now 0.95)"), (None, "0.9;"), (0.98, "0.99 (now 0.98)")],
)
def test_the_target_to_try_is_above_that_in_use(rng, target, better):
    run = run_of(clustered(rng), mu=rng.normal(size=SHAPE))
    run.attrs["target_accept"] = target
    run.sample_stats["acceptance_rate"] = rng.beta(100 * (target or 0.8), 100 - 100 * (target or 0.8), SHAPE)
    assert f"Raise target_accept to {better}" in message(run)


def test_a_target_that_is_as_high_as_it_may_be_is_not_raised(rng):
    run = run_of(clustered(rng), mu=rng.normal(size=SHAPE))
    run.attrs["target_accept"] = 0.99
    run.sample_stats["acceptance_rate"] = rng.beta(99, 1, SHAPE)
    assert message(run).endswith("which holds a chain. Reparameterise; look at what is special there.")


def test_a_chain_that_was_hardly_elsewhere_tells_of_no_region(rng):
    flags = np.zeros(SHAPE, bool)
    flags[2, :540:3] = True
    assert "All lie between draws 0 and 537 of chain 2" in message(run_of(flags, mu=rng.normal(size=SHAPE)))
    flags[2, 540] = True
    assert "region" not in message(run_of(flags, mu=rng.normal(size=SHAPE)))
    run = run_of(flags, mu=rng.normal(size=SHAPE))
    run.sample_stats["lp"][1, 20:561] = -9.0
    assert "Chain 1 repeats draw 20 another 540 times" in message(run)
    run.sample_stats["lp"][1, 561] = -9.0
    assert "region" not in message(run)


def test_draws_of_chains_are_numbered_as_in_the_trace(rng):
    run = run_of(clustered(rng, first=500), mu=rng.normal(size=SHAPE))
    run.sample_stats["tune"] = np.zeros(SHAPE, bool)
    run.sample_stats["tune"][:, :100] = True
    run.chain_ids = [4, 5, 6, 7]
    assert "between draws 500 and 539 of chain 6" in message(run)


@pytest.mark.parametrize("share", [0.002, 0.02, 0.1, 0.5])
def test_divergences_all_over_hold_no_chain(rng, share):
    assert message(run_of(rng.random(SHAPE) < share, mu=rng.normal(size=SHAPE))).endswith(
        "Raise target_accept (now 0.8) or reparameterise."
    )


def test_a_few_divergences_in_a_row_hold_no_chain(rng):
    flags = np.zeros(SHAPE, bool)
    flags[1, 200:209] = True
    assert "holds" not in message(run_of(flags, mu=rng.normal(size=SHAPE)))
    flags[1, 209] = True
    assert "All lie between draws 200 and 209 of chain 1" in message(run_of(flags, mu=rng.normal(size=SHAPE)))


def test_a_chain_that_repeats_one_draw_was_held(rng):
    mu = rng.normal(size=SHAPE)
    run = run_of(mu=mu)
    flags = np.zeros(SHAPE, bool)
    flags[3, 120] = True
    run.sample_stats["diverging"] = flags
    mu[3, 100:150] = mu[3, 100] = 4.5
    run.sample_stats["lp"][3, 100:150] = -9.0
    assert "holds" not in message(run)
    mu[3, 150], run.sample_stats["lp"][3, 150] = 4.5, -9.0
    assert "Chain 3 repeats draw 100 another 50 times (mu 4.5): a region" in message(run)
    flags[:] = False
    mu[1] += 1.0  # another problem gives occasion
    assert "Chain 3 repeats draw 100" in message(run, Kind.CONVERGENCE)
    run.sample_stats["lp"] = np.stack([run.sample_stats["lp"]] * 2, axis=2)
    assert "repeats" not in str(check(run))  # the second sampler moves in between


def test_the_end_of_one_chain_and_the_start_of_the_next_are_no_run(rng):
    run = run_of(mu=rng.normal(size=SHAPE))
    run.sample_stats["diverging"][0, 0] = True
    run.sample_stats["lp"][0, -40:] = run.sample_stats["lp"][1, :40] = -9.0
    assert "repeats" not in message(run)


def test_samplers_without_divergences_and_draws_that_are_no_numbers_are_left_alone(rng):
    mu = rng.normal(size=SHAPE)
    run = run_of(clustered(rng), mu=mu, k=rng.integers(0, 5, SHAPE), x=np.where(mu > 3.0, np.inf, mu))
    assert "of chain 2" in message(run)
    run = run_of(mu=mu + np.arange(4)[:, None])
    del run.sample_stats["diverging"]
    run.sample_stats["lp"][:] = 0.0
    assert "repeats" not in str(check(run))
