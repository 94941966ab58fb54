"""The table: numbers, names, what it says about itself, how it looks."""

import subprocess
import sys

import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.diagnostics import check, ess_bulk, ess_tail, hdi, mcse_mean, rhat, summary
from nbinfer.diagnostics.summary import _write
from tests.diagnostics.runs import a_run

DRAWS = 500 if JIT else 60


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(1)
    return {"mu": rng.normal(4, 3, (4, DRAWS)), "theta": rng.normal(size=(4, DRAWS, 2, 3))}


@pytest.mark.nojit  # long as plain Python
def test_numbers_are_those_of_the_functions(draws):
    s = summary(draws)
    assert s.columns == ("mean", "sd", "q5", "q95", "mcse_mean", "ess_bulk", "ess_tail", "rhat")
    theta = draws["theta"]
    expected = {
        "mean": theta.mean((0, 1)),
        "sd": theta.std((0, 1), ddof=1),
        "q5": np.quantile(theta, 0.05, axis=(0, 1)),
        "q95": np.quantile(theta, 0.95, axis=(0, 1)),
        "mcse_mean": mcse_mean(theta),
        "ess_bulk": ess_bulk(theta),
        "ess_tail": ess_tail(theta),
        "rhat": rhat(theta),
    }
    for column, values in expected.items():
        np.testing.assert_allclose(s[column, "theta"], values, rtol=1e-13, atol=1e-15)
        assert s[column].shape == (7,)
        assert s[column, "theta[1,2]"] == s[column, "theta"][1, 2] == s.row("theta[1,2]")[column] == s[column][6]
    assert isinstance(s["mean", "mu"], float)


@pytest.mark.nojit  # long as plain Python
def test_names(draws):
    assert summary(draws).rows == ("mu", *(f"theta[{i},{j}]" for i in range(2) for j in range(3)))
    assert summary(draws, "mu").rows == ("mu",)
    assert summary(draws, ["theta", "mu"]).rows[-1] == "mu"
    assert summary({"none": np.empty((2, 10, 0)), "x": draws["mu"]}).rows == ("x",)
    assert summary({}).rows == ()
    assert summary(draws, "~theta").rows == ("mu",)
    assert summary(draws, ["~theta", "~mu"]).rows == ()
    with pytest.raises(ValueError, match="var_names has unknown 'nu', 'xi'; the trace has mu, theta"):
        summary(draws, ["nu", "mu", "xi"])
    with pytest.raises(ValueError, match=r"var_names has unknown 'thet'.*Did you mean 'theta'"):
        summary(draws, "~thet")
    with pytest.raises(ValueError, match="var_names has unknown '~mu'"):
        summary(draws, ["theta", "~mu"])
    with pytest.raises(KeyError, match="no column 'median'; there are mean, sd"):
        summary(draws)["median"]
    with pytest.raises(KeyError, match="no row 'theta'; there are mu, theta"):
        summary(draws).row("theta")
    with pytest.raises(KeyError, match="no row 'nu'; there are mu"):
        summary(draws)["mean", "nu"]


def test_unconstrained_coordinates_beside_their_parameter_are_meant_where_they_are_named():
    x = np.random.default_rng(1).normal(size=(2, 10))
    fit = {"mu": x, "tau": np.exp(x), "tau_unconstrained__": x, "x_unconstrained__": x}
    assert summary(fit).rows == ("mu", "tau", "x_unconstrained__")
    assert summary(fit, "~mu").rows == ("tau", "x_unconstrained__")
    assert summary(fit, "tau_unconstrained__").rows == ("tau_unconstrained__",)


@pytest.mark.nojit  # long as plain Python
def test_kinds(draws):
    assert summary(draws, kind="stats").columns == ("mean", "sd", "q5", "q95")
    assert summary(draws, kind="diagnostics").columns == ("mcse_mean", "ess_bulk", "ess_tail", "rhat")
    s = summary(draws, prob=0.95)
    assert s.columns[2:4] == ("q2.5", "q97.5")
    assert s["q97.5", "mu"] == pytest.approx(np.quantile(draws["mu"], 0.975), rel=1e-13)
    with pytest.raises(ValueError, match="unknown kind 'everything'; choose 'all', 'stats', 'diagnostics'"):
        summary(draws, kind="everything")
    with pytest.raises(ValueError, match="unknown columns 'arviz'"):
        summary(draws, columns="arviz")
    with pytest.raises(ValueError, match=r"prob, how much of the trace .* must lie between 0 and 1, got 95\."):
        summary(draws, prob=95)


def test_columns_of_the_documents(draws):
    s = summary(draws, columns="documents")
    assert s.columns == ("mean", "sd", "mc_error", "hpd_2.5", "hpd_97.5", "n_eff", "Rhat")
    np.testing.assert_array_equal([s["hpd_2.5", "mu"], s["hpd_97.5", "mu"]], hdi(draws["mu"], 0.95))
    assert s["mc_error", "mu"] == mcse_mean(draws["mu"])
    one = summary({"mu": draws["mu"][:1]}, columns="documents")
    assert one.columns == ("mean", "sd", "mc_error", "hpd_2.5", "hpd_97.5")
    assert summary(draws, columns="documents", kind="stats").columns == ("mean", "sd", "hpd_2.5", "hpd_97.5")


def test_one_chain_and_few_draws():
    s = summary({"x": np.arange(3.0)})
    assert s.row("x")["mean"] == 1
    assert s.row("x")["sd"] == 1
    assert all(np.isnan(s[column, "x"]) for column in ("mcse_mean", "ess_bulk", "ess_tail", "rhat"))
    assert np.isnan(summary({"x": np.empty((2, 0))})["mean", "x"])


def test_a_single_chain_has_no_rhat_and_a_line_says_so():
    one = summary({"x": np.random.default_rng(1).normal(size=(1, 100))})
    assert np.isnan(one["rhat", "x"])
    assert np.isfinite(one["ess_bulk", "x"])
    assert str(one).splitlines()[-1] == "rhat compares chains, and there is one."
    assert summary({"x": np.ones((1, 100))}, kind="stats").notes == ()
    assert summary({"x": np.ones((2, 100))}).notes == ()


def test_integers_and_booleans():
    rng = np.random.default_rng(2)
    s = summary({"k": rng.integers(0, 9, (2, 40)), "flag": rng.random((2, 40)) < 0.3})
    assert 0 < s["mean", "flag"] < 1
    assert s["q95", "k"] in range(9)


def test_chains_of_unequal_length():
    run = a_run(draws=60, draws_done=np.array([60, 40, 2, 50]), interrupted=True)
    for name in run.posterior:
        for chain, n in enumerate(run.draws_done):
            run.posterior[name][chain, n:] = np.nan
    s = summary(run)
    mu = run.posterior["mu"]
    finished = np.concatenate([mu[c, :n] for c, n in enumerate(run.draws_done)])
    assert s["mean", "mu"] == pytest.approx(finished.mean())
    assert s["sd", "mu"] == pytest.approx(finished.std(ddof=1))
    assert s["q5", "mu"] == pytest.approx(np.quantile(finished, 0.05))
    assert s["rhat", "mu"] == rhat(mu[[0, 1, 3], :40])
    assert s["ess_bulk", "mu"] == ess_bulk(mu[[0, 1, 3], :40])
    assert "R-hat, ESS and MCSE come from the first 40 draws of chains 0, 1 and 3" in str(s)


def test_an_interrupted_run_of_equal_chains_is_cut_without_a_note():
    run = a_run(draws=60, draws_done=np.full(4, 30), interrupted=True)
    s = summary(run)
    assert s["mean", "mu"] == pytest.approx(run.posterior["mu"][:, :30].mean())
    assert s.notes == ()


def test_draws_that_are_not_finite_are_named():
    x = np.random.default_rng(3).normal(size=(2, 50, 2))
    x[0, 3, 1] = np.nan
    s = summary({"x": x})
    assert np.isnan(s["mean", "x[1]"])
    assert np.isfinite(s["mean", "x[0]"])
    assert s.notes == ("Not a number because draws are infinite or NaN: x[1] (1 %).",)


def test_text():
    x = np.random.default_rng(4).normal(size=(4, 100))
    lines = str(summary({"mu": 5 + x, "a long name": 1e-3 * x, "constant": np.ones((4, 100)), "huge": 1e12 * x}))
    lines = lines.split("\n")
    assert lines[0].split() == ["mean", "sd", "q5", "q95", "mcse_mean", "ess_bulk", "ess_tail", "rhat"]
    assert [line.split("  ")[0] for line in lines[1:]] == ["mu", "a long name", "constant", "huge"]
    mean, _, _, _, error, bulk, _, rhat_ = lines[1].split()[1:]
    decimals = len(mean.partition(".")[2])
    assert 10**-decimals <= float(error) < 10 ** (1 - decimals)  # the last digit shown is where the error begins
    assert bulk.isdigit()
    assert len(rhat_) == 5
    assert lines[3].split() == ["constant", "1", "0", "1", "1", "nan", "nan", "nan", "nan"]
    ends = {line.index(".") for line in lines[1:3]}
    assert len(ends) == 1  # decimal points stand below each other
    assert len(str(summary({"x": np.zeros((2, 5, 200))})).split("\n")) == 201  # every row is shown


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (3.14159, 2, "3.14"),
        (-0.0004, 2, "0.00"),
        (31415.9, -2, "31416"),
        (3.14159e-9, 11, "3.14e-09"),
        (3.14159e12, -10, "3.14e+12"),
        (0.0, 12, "0.000000000000e+00"),
        (2.5, None, "2.5"),
        (np.nan, 2, "nan"),
        (np.inf, 2, "inf"),
    ],
)
def test_writing_numbers(value, decimals, text):
    assert _write(value, decimals) == text


def test_html_is_escaped():
    text = summary({"<script>": np.random.default_rng(5).normal(size=(2, 20))})._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert text.count("<tr>") == 2


def test_conversions(draws):
    s = summary(draws)
    assert s.to_dict()["mean"]["theta[0,1]"] == s["mean", "theta[0,1]"]
    frame = pytest.importorskip("pandas")
    table = s.to_pandas()
    assert isinstance(table, frame.DataFrame)
    assert table.loc["theta[0,1]", "rhat"] == s["rhat", "theta[0,1]"]


def test_what_the_report_measured_is_taken_over():
    run = a_run(draws=40)
    run.report = check(run)
    before = run.report.measured["mu"]
    before.records["mean"] = 123.0  # a mark
    assert summary(run)["mean", "mu"] == 123.0
    assert summary(run, prob=0.5)["mean", "mu"] != 123.0
    run.posterior["mu"][0, 0] += 1
    assert summary(run)["mean", "mu"] != 123.0  # changed in place
    before.records["mean"] = 123.0
    run.posterior["mu"] = run.posterior["mu"].copy()
    assert summary(run)["mean", "mu"] != 123.0


@pytest.mark.nojit
def test_nothing_heavy_is_imported():
    code = (
        "import sys, numpy as np; from nbinfer.diagnostics import check, summary;"
        "from tests.diagnostics.runs import a_run;"
        "run = a_run(); run.report = check(run); str(summary(run)); str(run.report);"
        "print(sorted({'numba', 'scipy', 'pandas', 'h5py', 'tqdm', 'arviz_base'} & set(sys.modules)))"
    )
    for _ in range(2):  # the first may have to compile
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_number_and_its_rounding_have_no_digits_to_show():
    draws = 1.0 + np.random.default_rng(1).choice([-1.1e-16, 0.0, 2.2e-16], (4, DRAWS))
    s = summary({"one": draws, "mu": np.random.default_rng(2).normal(size=(4, DRAWS))})
    assert str(s).splitlines()[1].split()[:2] == ["one", "1"]
    assert 0.0 < s["mcse_mean", "one"] < 1e-16
