"""Models side by side: the table, what ArviZ says of the same models, and models that cannot be compared."""

import numpy as np
import pytest

from nbinfer.diagnostics.comparison import COLUMNS, compare
from nbinfer.diagnostics.elpd import ELPD


def estimate(pointwise, name="y", kind="loo", k=0.1, observed=None):
    pointwise = np.asarray(pointwise, float)
    pareto_k = np.full(pointwise.shape, k) if kind == "loo" else None
    return ELPD(kind, name, pointwise, np.full(pointwise.shape, 0.1), 4000, pareto_k, observed)


@pytest.fixture(scope="module")
def three():
    x = np.random.default_rng(1).normal(-1.0, 0.5, size=(3, 40))
    return {"worst": estimate(x[0] - 0.5), "best": estimate(x[1]), "middle": estimate(x[2] - 0.2, k=0.9)}


def test_the_table(three):
    c = compare(three)
    assert c.rows == ("best", "middle", "worst")
    assert c.columns == COLUMNS
    assert c["rank"].tolist() == [0, 1, 2]
    less = three["best"].pointwise - three["worst"].pointwise
    assert c["elpd_diff", "worst"] == pytest.approx(less.sum())
    assert c["dse", "worst"] == pytest.approx(np.sqrt(40 * less.var()))
    assert c["elpd_diff", "best"] == c["dse", "best"] == 0.0
    assert c["weight"].sum() == pytest.approx(1.0)
    assert c.weights == {"best": c["weight", "best"], "middle": c["weight", "middle"], "worst": c["weight", "worst"]}
    assert c.row("middle")["warning"] is True
    assert c.row("best")["warning"] is False
    assert c.to_dict()["elpd"]["best"] == three["best"].elpd
    assert c.elpds["best"] is three["best"]


@pytest.mark.parametrize("method", ["stacking", "BB-pseudo-BMA", "pseudo-BMA"])
def test_weights_belong_to_their_models(three, method):
    c = compare(three, method, random_seed=1)
    again = compare(dict(reversed(three.items())), method, random_seed=1)
    assert c.rows == again.rows
    np.testing.assert_allclose(c["weight"], again["weight"])
    assert c["weight"].argmax() == 0


#: What is equal to ArviZ's, and how nearly: its optimiser stops early, its bootstrap has another stream.
LOOSE = {"stacking": {"weight": 1e-3}, "bb-pseudo-bma": {"weight": 0.05, "se": 0.5}, "pseudo-bma": {}}


@pytest.mark.parametrize("method", LOOSE)
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of pandas, for ArviZ
def test_numbers_are_arviz_s(three, method):
    arviz, xarray = pytest.importorskip("arviz_stats.loo"), pytest.importorskip("xarray")
    from arviz_stats.utils import ELPDData

    theirs = {
        name: ELPDData(
            "loo", e.elpd, e.se, e.p, 4000, e.n, "log", bool(e.n_bad), e.good_k, xarray.DataArray(e.pointwise)
        )
        for name, e in three.items()
    }
    expected = arviz.compare(theirs, method=method)
    found = compare(three, method, random_seed=1).to_pandas()
    assert list(found.index) == list(expected.index)
    assert sorted(found.columns) == sorted(expected.columns)
    for column in COLUMNS:
        wanted = expected[column].astype(float)
        np.testing.assert_allclose(found[column].astype(float), wanted, rtol=1e-9, atol=LOOSE[method].get(column, 1e-8))


def test_how_it_looks(three):
    text = repr(compare(three))
    head, first, *_ = text.splitlines()
    assert head.split() == list(COLUMNS)
    assert first.split()[:2] == ["best", "0"]
    assert "LOO, weights by stacking." in text
    assert "middle: Pareto k is above 0.70 for 40 of 40 observations of y" in text
    assert ">best</th>" in compare(three)._repr_html_()


def test_different_numbers_of_observations(three):
    with pytest.raises(ValueError, match=r"different numbers of them: 40 of 'best' and 39 of 'short'"):
        compare({"best": three["best"], "short": estimate(np.zeros(39))})


def test_different_observed_values():
    y = np.exp(np.arange(6.0)).reshape(2, 3)
    a, b = estimate(np.zeros((2, 3)), observed=y), estimate(np.ones((2, 3)), observed=np.log(y))
    with pytest.raises(ValueError, match=r"at 6 of 6 observations, first at y\[0,0\]: 1 of 'a', 0 of 'b'.*transform"):
        compare({"a": a, "b": b})
    same = compare({"a": a, "c": estimate(np.ones(6), observed=y.ravel())})
    assert same["elpd_diff", "a"] == 6.0


def test_different_variables():
    with pytest.raises(ValueError, match=r"got y of 'a' and z of 'b'\. Choose one with var_name"):
        compare({"a": estimate(np.zeros(3)), "b": estimate(np.zeros(3), name="z")})


def test_what_else_is_refused(three):
    with pytest.raises(ValueError, match="two or more to compare, got 1"):
        compare({"best": three["best"]})
    with pytest.raises(ValueError, match="loo of 'best' and waic of 'other'"):
        compare({"best": three["best"], "other": estimate(np.zeros(40), kind="waic")})
    with pytest.raises(ValueError, match="unknown method 'bma'; choose 'stacking', 'bb-pseudo-bma', 'pseudo-bma'"):
        compare(three, "bma")
    with pytest.raises(TypeError, match=r"models\['a'\] must be an ELPD"):
        compare({"a": 1.0, "b": 2.0})
    with pytest.raises(KeyError, match="no column 'loo'; there are rank"):
        compare(three)["loo"]
    with pytest.raises(KeyError, match="no model 'none'; there are best"):
        compare(three).row("none")
