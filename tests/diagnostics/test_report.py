"""The verdict: every threshold from both sides, and the words."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.diagnostics import Kind, check
from nbinfer.errors import ConvergenceWarning
from tests.diagnostics.runs import a_run

pytestmark = pytest.mark.nojit

DRAWS = 1000 if JIT else 400


def kinds(run, **options):
    return [problem.kind for problem in check(run, **options).problems]


def only(run, **options):
    report = check(run, **options)
    assert len(report.problems) == 1
    assert not report.ok
    assert str(report).startswith("1 problem found:\n- ")
    return report.problems[0]


def test_all_is_well():
    report = check(a_run())
    assert report.ok
    assert report.problems == ()
    text = str(report)
    assert text.startswith("No problems found: no divergences, R-hat at most 1.00")
    assert "bulk ESS at least " in text
    assert "tail ESS at least " in text
    assert "E-BFMI at least 1." in text
    assert "\n" not in text


def test_bounds_of_the_verdict_are_true():
    report = check(a_run(draws=DRAWS))
    words = str(report)
    rhats = [m.records[k].max() for m in report.measured.values() for k in ("rhat_bulk", "rhat_folded")]
    assert float(words.split("R-hat at most ")[1].split(",")[0]) >= max(rhats)
    bulk = min(m.records["ess_bulk"].min() for m in report.measured.values())
    assert int(words.split("bulk ESS at least ")[1].split(",")[0]) <= bulk


def test_any_divergence():
    run = a_run()
    run.sample_stats["diverging"][[1, 3, 3], [5, 5, 6]] = True
    problem = only(run)
    assert problem.kind is Kind.DIVERGENCES
    assert (problem.count, problem.chains) == (3, (1, 3))
    assert problem.message == (
        "3 of 4000 draws diverged (< 0.1 %). Estimates may be biased. Raise target_accept (now 0.8) or reparameterise."
    )
    assert "(now 0.85)" in only(run, target_accept=0.85).message
    run.sample_stats["acceptance_rate"][:] = 1.0
    assert only(run, target_accept=0.99).message.endswith(
        "target_accept is as high as it helps (now 0.99): give stronger priors or reparameterise."
    )
    run.attrs = {}
    assert "Raise target_accept or reparameterise" in only(run).message


def test_divergences_of_warm_up_and_of_unfinished_draws_do_not_count():
    run = a_run(draws_done=np.full(4, 900))
    run.sample_stats["diverging"][:, 900:] = True
    run.sample_stats["diverging"][:, :100] = True
    run.sample_stats["tune"] = np.zeros((4, 1000), bool)
    run.sample_stats["tune"][:, :100] = True
    assert check(run).ok


def test_a_single_divergence_has_a_point():
    run = a_run(draws=DRAWS, chain_ids=[4, 5, 6, 7])
    run.sample_stats["diverging"][1, 17] = True
    run.posterior["mu"][1, 17] = 2.5
    run.posterior["theta"][1, 17] = [0.25, -1.0]
    run.attrs["parameters"] = ["mu", "theta"]
    run.posterior["derived"] = 2.0 * run.posterior["mu"]
    message = only(run).message
    assert "): draw 17 of chain 5, near mu = 2.5, theta = [ 0.25 -1.  ]. Estimates" in message


def test_many_divergences_late_in_warm_up_are_mentioned():
    run = a_run(draws=DRAWS, tune_done=np.full(4, DRAWS))
    flags = np.zeros((4, DRAWS), bool)
    run.warmup_sample_stats = {"diverging": flags}
    flags[:, : DRAWS // 2] = True  # the search for a step size
    assert check(run).notes == ()
    flags[2, int(0.85 * DRAWS) :] = True
    report = check(run)
    assert report.ok
    assert "of warm-up diverged (25 %), and none after it" in str(report)
    assert "Raise target_accept and see" in str(report)
    run.sample_stats["acceptance_rate"][:] = 1.0
    assert "Reparameterise and see" in str(check(run, target_accept=0.99))
    run.sample_stats["diverging"][0, 0] = True
    assert check(run).notes == ()  # the problem says more


def test_several_samplers():
    run = a_run(draws=DRAWS)
    run.sample_stats["diverging"] = np.zeros((4, DRAWS, 2), bool)
    run.sample_stats["diverging"][0, 0, 1] = True
    assert only(run).count == 1


def test_rhat():
    run = a_run(draws=DRAWS)
    run.posterior["theta"][2, :, 1] += 1
    problem = next(p for p in check(run).problems if p.kind is Kind.CONVERGENCE)
    assert problem.count == 1
    assert problem.message.startswith("R-hat is above 1.01 for 1 of 3 quantities (theta[1] 1.")
    assert problem.message.split("(")[1].split(")")[0].count(" ") == 1  # those below are not named
    for i in range(3):
        run.posterior[f"x{i}"] = run.posterior["mu"] + np.arange(4)[:, None] * 10 * (i + 1)
    problem = next(p for p in check(run).problems if p.kind is Kind.CONVERGENCE)
    assert problem.count == 4
    assert problem.message.count(", ") == 2  # the worst three
    assert "theta[1]" not in problem.message


def test_entries_bear_the_labels_of_their_axes():
    run = a_run(draws=DRAWS, dims={"theta": ["part"]}, coords={"part": ["a", "b"]})
    run.posterior["theta"][2, :, 1] += 1
    assert "(theta[b] 1." in next(p for p in check(run).problems if p.kind is Kind.CONVERGENCE).message
    run.posterior["theta"][..., 0] = np.arange(4)[:, None]
    run.attrs["parameters"] = ["theta"]
    assert "theta[a]" in next(p for p in check(run).problems if p.kind is Kind.NOT_MOVED).message
    run.posterior = {"stuck": np.repeat([[1.0], [2.0], [3.0], [4.0]], DRAWS, axis=1)}
    assert "stuck inf" in check(run).problems[0].message


def test_effective_size_below_100_per_chain():
    rng = np.random.default_rng(3)
    run = a_run(draws=DRAWS)
    run.posterior["slow"] = np.repeat(rng.normal(size=(4, DRAWS // 20)), 20, axis=1)
    problem = next(p for p in check(run).problems if p.kind is Kind.LOW_ESS)
    assert problem.message.startswith(
        "The effective sample size of 1 of 4 quantities is below 400, which is 100 per chain (bulk: slow "
    )
    one = check(a_run(chains=1, draws=90))
    assert "below 100, which is 100 per chain" in one.problems[0].message


def test_energy():
    rng = np.random.default_rng(4)
    run = a_run(draws=DRAWS, chain_ids=[0, 1, 5, 6])
    run.sample_stats["energy"][2] = np.cumsum(rng.normal(size=DRAWS))
    problem = only(run)
    assert (problem.kind, problem.count, problem.chains) == (Kind.BAD_ENERGY, 1, (5,))
    assert problem.message.startswith("E-BFMI is below 0.3 in chain 5 (0.0")


def test_acceptance():
    run = a_run(draws=DRAWS)
    run.sample_stats["acceptance_rate"][[1, 2]] = 0.5
    problem = only(run)
    assert (problem.kind, problem.chains) == (Kind.BAD_ACCEPTANCE, (1, 2))
    assert problem.message.startswith(
        "The mean acceptance of chains 1 and 2 (0.50, 0.50) does not fit target_accept = 0.8"
    )
    assert kinds(run, target_accept=0.5) == [Kind.BAD_ACCEPTANCE]
    run.attrs = {}
    assert check(run).ok  # nobody knows the target


def test_acceptance_above_the_target_that_no_adaptation_mends():
    run = a_run(draws=DRAWS, tune_done=np.full(4, DRAWS))
    rng = np.random.default_rng(2)
    run.sample_stats["acceptance_rate"][:] = 0.95
    sizes, rates = np.full((4, DRAWS), 0.5), rng.beta(19, 1, (4, DRAWS))
    run.warmup_sample_stats = {"step_size": sizes, "acceptance_rate": rates}
    assert only(run).kind is Kind.BAD_ACCEPTANCE
    assert check(run, largest_step_size=0.5).ok  # as long as a step may be
    run.attrs["largest_step_size"] = 0.5
    assert check(run).ok
    rates[:] = rng.beta(8, 2, (4, DRAWS))  # warm-up was accepted as it should
    assert check(run, largest_step_size=np.nan).ok
    run.sample_stats["acceptance_rate"][:] = 0.5
    assert only(run).kind is Kind.BAD_ACCEPTANCE  # too low is never well


def test_the_acceptance_and_the_energy_of_each_of_several_samplers():
    rng = np.random.default_rng(4)
    run = a_run(draws=DRAWS)
    stats = run.sample_stats
    good, energy = stats["acceptance_rate"], stats["energy"]
    stats["acceptance_rate"] = np.stack([good, np.where(np.arange(4)[:, None] == 2, 0.5, good)], axis=2)
    assert only(run).chains == (2,)
    stats["acceptance_rate"] = np.stack([good, np.full_like(good, 0.6)], axis=2)
    assert only(run).message.count("(0.60, 0.60, 0.60, 0.60) does not fit target_accept = 0.8") == 1
    run.attrs["target_accept"] = [0.8, 0.6]
    assert check(run).ok
    stats["diverging"] = np.ones((4, DRAWS), bool)
    assert "Raise target_accept (now 0.8, 0.6)" in only(run).message
    stats["diverging"][:] = False
    stats["energy"] = np.stack([energy, np.cumsum(rng.normal(size=energy.shape), axis=1)], axis=2)
    assert only(run).kind is Kind.BAD_ENERGY


def test_tree_depth():
    run = a_run(draws=DRAWS)
    run.sample_stats["reached_max_treedepth"][2, : DRAWS // 20] = True
    report = check(run)
    assert report.ok  # 5 % of a chain are worth a note
    count, total = DRAWS // 20, 4 * DRAWS
    assert f"{count} of {total} draws (1.2 %) reached the tree-depth limit (max_treedepth = 10)." in str(report)
    run.sample_stats["reached_max_treedepth"][2, DRAWS // 20] = True
    problem = only(run)
    assert (problem.kind, problem.count, problem.chains) == (Kind.TREEDEPTH, count + 1, (2,))
    assert "Sampling is slow, not wrong: raise max_treedepth" in problem.message
    run.posterior["mu"][2] += 20.0
    message = check(run).problems[-1].message
    assert "not wrong" not in message
    assert "Trajectories end before they have gone far enough: raise max_treedepth" in message


def test_a_report_is_a_collection_of_its_problems():
    run = a_run(draws=DRAWS)
    assert not check(run)
    assert list(check(run)) == []
    run.posterior["mu"][2] += 20.0
    report = check(run)
    assert report
    assert tuple(report) == report.problems
    assert len(report) == len(report.problems) > 0


def test_many_short_chains_are_no_trouble_by_themselves():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(200, 50))
    assert check({"mu": draws}).ok
    assert kinds({"mu": draws[:10]}) == [Kind.LOW_ESS]
    apart = draws + 0.5 * rng.normal(size=(200, 1))  # chains that have not mixed
    assert check({"mu": apart}).problems[0].message.startswith("R-hat is above 1.1 for 1 of 1 quantity")
    few = check({"mu": draws[:12]}).problems[0].message
    assert few.startswith("The effective sample size of 1 of 1 quantity is below 1000 (bulk: mu ")


def test_of_many_chains_some_are_named():
    run = a_run(chains=40)
    run.sample_stats["energy"][3:] = np.random.default_rng(2).normal(size=(37, 1000)).cumsum(axis=1)
    text = only(run).message
    assert text.startswith("E-BFMI is below 0.3 in chains 3, 4, 5 and 34 more (0.0")
    assert ", …)" in text


def test_many_chains_that_are_too_short_to_tell_by_themselves_are_looked_at_together():
    run = a_run(chains=300, draws=8)
    assert check(run).ok, str(check(run))
    run.sample_stats["acceptance_rate"][:] = 0.5
    run.sample_stats["energy"][:] = np.random.default_rng(2).normal(size=(300, 1)) + 0.1 * run.sample_stats["energy"]
    problems = check(run).problems
    assert [problem.kind for problem in problems] == [Kind.BAD_ENERGY, Kind.BAD_ACCEPTANCE]
    assert problems[0].message.startswith("E-BFMI is below 0.3 in all chains together (0.0")
    assert problems[1].message.startswith("The mean acceptance of all chains (0.50) does not fit target_accept = 0.8")


def test_one_of_many_short_chains_may_stand_still():
    run = a_run(chains=200, draws=8)
    run.attrs["parameters"] = ["mu", "theta"]
    run.posterior["mu"][7] = 1.0
    assert check(run).ok, str(check(run))
    run.posterior["mu"][:] = run.posterior["mu"][:, :1]
    assert Kind.NOT_MOVED in kinds(run)


@pytest.mark.parametrize("draws", [1, 5])
def test_superchains_have_a_nested_rhat(draws):
    run = a_run(chains=64, draws=draws, sample_stats={})
    run.attrs["superchains"] = [0, 16, 32, 48]
    report = check(run)
    assert "R-hat" not in str(report) or "nested R-hat at most 1.0" in str(report)
    run.posterior["mu"] = run.posterior["mu"] + 9.0 * np.repeat([0.0, 1.0, 2.0, 3.0], 16)[:, None]
    (problem,) = [problem for problem in check(run) if problem.kind is Kind.CONVERGENCE]
    assert "Nested R-hat is above 1." in problem.message
    assert "The superchains disagree" in problem.message


def test_superchains_of_an_interrupted_run_of_which_some_chains_have_no_draw():
    run = a_run(chains=64, draws=1, sample_stats={}, interrupted=True, draws_done=np.resize([0, 1], 64))
    run.attrs["superchains"] = [0, 16, 32, 48]
    assert kinds(run) == [Kind.INTERRUPTED, Kind.TOO_FEW_DRAWS]


def test_superchains_of_which_some_are_missing_are_none():
    run = a_run(chains=48, sample_stats={})
    run.attrs["superchains"] = [0, 16, 32, 48]
    assert "nested" not in str(check(run))


def test_many_chains_of_an_interrupted_run_are_not_listed():
    run = a_run(chains=30, interrupted=True, draws_done=np.resize([800, 1000], 30))
    assert "finished draws are 800 to 1000 per chain" in only(run).message


def test_not_finite():
    run = a_run(draws=DRAWS)
    run.posterior["theta"][1, :4, 1] = np.inf
    problem = only(run)
    assert (problem.kind, problem.count) == (Kind.NOT_FINITE, 1)
    assert "1 of 3 quantities are infinite or NaN (per cent: theta[1] " in problem.message


def test_one_chain():
    report = check(a_run(chains=1))
    assert report.ok
    assert "R-hat cannot be computed from one chain: run at least two." in str(report)
    assert "R-hat at most" not in str(report)


@pytest.mark.parametrize("draws", [1, 3])
def test_too_few_draws(draws):
    problem = only(a_run(draws=draws))
    assert problem.kind is Kind.TOO_FEW_DRAWS
    assert "cannot be computed from fewer than 4" in problem.message
    assert Kind.TOO_FEW_DRAWS in kinds(a_run(draws=draws, draws_done=np.zeros(4, int)))


def test_interrupted():
    run = a_run(draws_done=np.array([1000, 800, 2, 900]), interrupted=True)
    report = check(run)
    assert [p.kind for p in report.problems] == [Kind.INTERRUPTED]
    text = str(report)
    assert "finished draws are chain 0: 1000, chain 1: 800, chain 2: 2, chain 3: 900." in text
    assert "leave out chain 2, with fewer than 4 draws" in text
    assert "the first 800 draws of chains 0, 1 and 3" in text
    even = a_run(draws_done=np.full(4, 900), interrupted=True)
    assert only(even).message == "The run was interrupted after 900 draws per chain."


# ---- what is constant


def with_parameters(**parameters):
    run = a_run(draws=DRAWS)
    run.posterior |= parameters
    run.attrs["parameters"] = ["mu", "theta", *parameters]
    return run


def test_what_is_derived_may_be_constant():
    run = with_parameters()
    run.posterior["fixed"] = np.ones((4, DRAWS))
    report = check(run)
    assert report.ok
    assert report.notes == ()


def test_constants_that_nobody_knows_are_mentioned_and_a_problem_if_nothing_moves():
    run = a_run(draws=DRAWS)
    run.posterior["fixed"] = np.ones((4, DRAWS))
    assert check(run).ok
    assert "fixed had one value in all draws" in str(check(run))
    problem = check({"fixed": np.ones((4, DRAWS))}).problems[0]
    assert (problem.kind, problem.count) == (Kind.NOT_MOVED, 1)
    assert check({"fixed": np.ones((4, DRAWS))}, parameters=["x"]).problems[0].kind is Kind.NOT_MOVED


def test_parameters_that_never_moved_are_named():
    problem = only(with_parameters(x=np.full((4, DRAWS, 3), 1.0)))
    assert (problem.kind, problem.count, problem.chains) == (Kind.NOT_MOVED, 3, (0, 1, 2, 3))
    assert problem.message.startswith("x[0], x[1] and x[2] never moved in any chain. Such draws say nothing")
    x = np.random.default_rng(1).normal(size=(4, DRAWS))
    x[2] = 0.01
    y = np.full((4, DRAWS), 5.0)
    report = check(with_parameters(x=x, y=y))
    message = next(p.message for p in report.problems if p.kind is Kind.NOT_MOVED)
    assert "x never moved in chain 2. y never moved in any chain." in message


def test_elements_that_a_support_fixes_are_no_problem():
    L = np.zeros((4, DRAWS, 2, 2))
    L[..., 0, 0] = 1.0
    L[..., 1, 0] = np.random.default_rng(1).uniform(-0.9, 0.9, (4, DRAWS))
    L[..., 1, 1] = np.sqrt(1.0 - L[..., 1, 0] ** 2)
    report = check(with_parameters(L=L))
    assert report.ok
    assert report.notes == ()


def test_a_discrete_parameter_may_have_one_value_if_the_chains_agree():
    z = np.ones((4, DRAWS, 2), np.int64)
    report = check(with_parameters(z=z))
    assert report.ok
    assert report.notes[0].startswith("z had one value in all draws")
    z[1, :, 1] = 0
    problem = next(p for p in check(with_parameters(z=z)).problems if p.kind is Kind.NOT_MOVED)
    assert problem.message.startswith("z[1] never moved in any chain.")
    z[1, :, 1] = 1
    z[3, 7, 1] = 0  # rare, and no news
    assert Kind.NOT_MOVED not in kinds(with_parameters(z=z))


def test_an_r_hat_that_cannot_be_computed_is_the_worst():
    wide = np.random.default_rng(1).choice([-1.5e308, 1.5e308], (4, DRAWS))  # its range is no float64
    rare = np.zeros((4, DRAWS + 1))
    rare[0, DRAWS // 2] = 1.0  # the draw that no half has
    for draws in wide, rare:
        report = check({"x": draws})
        assert [p.kind for p in report.problems] == [Kind.CONVERGENCE, Kind.LOW_ESS]
        assert "(x inf)" in report.problems[0].message
        assert "bulk: x 0" in report.problems[1].message


def test_short_chains_are_said_to_be_short():
    report = check(a_run(draws=50))
    assert "Chains of 50 draws are too short to say much: draw more." in str(report)
    assert "or are too short to tell" in str(report)
    assert "too short" not in str(check(a_run(draws=DRAWS)))


def test_other_samplers_have_other_statistics():
    run = a_run(draws=DRAWS, sample_stats={"accepted": np.ones((4, DRAWS), bool)}, attrs={})
    assert "divergences" not in str(check(run))
    assert check(SimpleNamespace(posterior=run.posterior)).ok
    assert str(check(SimpleNamespace(posterior={}))) == "No problems found."
    assert check(dict(run.posterior)).ok
    with pytest.raises(ValueError, match="must have the same numbers of chains and draws"):
        check({"x": np.ones((2, 10)), "y": np.ones((2, 11))})


def test_warnings_once_per_kind_and_at_the_right_line():
    run = a_run(draws=DRAWS)
    run.sample_stats["diverging"][:, :10] = True
    run.sample_stats["acceptance_rate"][:] = 0.3

    def outer():
        check(run).warn(stacklevel=2)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outer()
    assert [w.category for w in caught] == [ConvergenceWarning] * 2
    assert [str(w.message) for w in caught] == [p.message for p in check(run).problems]
    assert {w.filename for w in caught} == {__file__}
    assert {w.lineno for w in caught} == {outer.__code__.co_firstlineno + 5}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(a_run()).warn()
