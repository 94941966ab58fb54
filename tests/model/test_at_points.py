"""model.logp: machine code for many calls, and plain Python for few, are one function."""

import threading

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import Entry
from nbinfer.distributions import normal, poisson
from nbinfer.model import at_points

pytestmark = pytest.mark.nojit


def logp(p, d):
    total = -0.5 * np.sum(p.table**2) + normal.logpdf(p.a, 0.3, p.scale) - p.low**2 - p.high**2 - 0.1 * p.unit
    total += np.sum(np.log(p.shares)) - 0.5 * np.sum(p.cuts**2) + p.corr[1, 0] - p.count * 0.25 + p.between[0] * d.w
    return total + np.sum(p.flags)


def y(p, d):
    return normal.logpdf(d.y, p.a, p.scale)


MODEL = nb.Model(
    {
        "table": nb.real((2, 3)),
        "a": nb.real(),
        "scale": nb.positive(),
        "low": nb.lower(1.0),
        "high": nb.upper(-1.0),
        "between": nb.interval([0.0, 1.0], [1.0, 2.0]),
        "unit": nb.unit(),
        "shares": nb.simplex(3),
        "cuts": nb.ordered(3),
        "corr": nb.cholesky_corr(2),
        "count": nb.integer(0, 9),
        "flags": nb.binary(2),
    },
    prior=logp,
    likelihood={"y": y},
    data={"y": [0.4, np.nan, 1.7, np.nan], "w": 2.5},
    missing={"y": nb.real()},
)
POINT = {
    "table": np.arange(6.0).reshape(2, 3) / 7.0,
    "a": 0.7,
    "scale": 1.3,
    "low": 1.5,
    "high": -2.5,
    "between": np.array([0.25, 1.75]),
    "unit": 0.125,
    "shares": np.array([0.2, 0.3, 0.5]),
    "cuts": np.array([-1.0, 0.5, 0.75]),
    "corr": np.array([[1.0, 0.0], [0.6, 0.8]]),
    "count": 3,
    "flags": np.array([1, 0]),
    "y_missing": np.array([0.9, -0.4]),
}
OTHERS = {
    "lists": {"table": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "between": [0.5, 1.5]},
    "float32": {"table": np.ones((2, 3), np.float32), "a": np.float32(0.5)},
    "integers": {"a": 1, "scale": 2, "table": np.ones((2, 3), int)},
    "NumPy's numbers": {"a": np.float64(0.2), "scale": np.array(2.0), "count": np.int64(4)},
    "not contiguous": {"table": np.ones((3, 2)).T, "between": np.array([0.1, 9.0, 1.1])[::2]},
    "in Fortran's order": {"table": np.asfortranarray(POINT["table"])},
}
WRONG = [
    ({"scale": -1.0}, "scale: .*must be positive"),
    ({"scale": np.nan}, "scale: .*must be finite"),
    ({"a": np.inf}, "a: .*must be finite"),
    ({"low": 1.0}, "low: .*above its bound"),
    ({"high": 0.0}, "high: .*below its bound"),
    ({"between": np.array([0.5, 2.0])}, r"between: .*between its bounds.*index \(1,\)"),
    ({"table": np.ones((3, 2))}, r"table: .*shape \(2, 3\), got \(3, 2\)"),
    ({"a": np.ones(1)}, r"a: .*shape \(\), got \(1,\)"),
    ({"a": "x"}, "a: .*numbers"),
    ({"shares": np.array([0.5, 0.5, 0.5])}, "shares: .*sum to 1"),
    ({"count": 10}, "count: "),
    ({"count": 1.5}, "count: "),
    ({"flags": np.array([2, 0])}, "flags: "),
    ({"other": 1.0}, "other"),
]


@pytest.fixture(scope="module")
def compiled():
    """The model, of which machine code is made at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_points, "MADE", 1)
        model = nb.Model.of(MODEL.definition)
        model.logp(POINT)
    assert model.definition._at_points(POINT) is not None
    return model


def plain(model, point):
    return model.density_of(model.layout.check(point, model.data_tuple, partial=False))


def test_equals_plain_python(compiled):
    rng = np.random.default_rng(1)
    assert compiled.logp(POINT) == pytest.approx(plain(compiled, POINT), rel=1e-13)
    for _ in range(20):
        q = rng.normal(size=compiled.dim)
        point = compiled.constrain(q, np.array([rng.integers(0, 10), 1, 0]))
        assert compiled.logp(point) == pytest.approx(plain(compiled, point), rel=1e-12)


def test_unconstrained_positions(compiled):
    rng = np.random.default_rng(2)
    for _ in range(5):
        q, discrete = rng.normal(size=compiled.dim), np.array([4, 0, 1])
        values, log_jacobian = compiled.layout.image(q, compiled.data_tuple, discrete)
        assert compiled.definition._at_points(values) is not None
        expected = log_jacobian + compiled.density_of(values)
        assert compiled.logp_unconstrained(q, discrete) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_the_values_are(compiled, name):
    point = POINT | OTHERS[name]
    assert compiled.logp(point) == pytest.approx(plain(compiled, point), rel=1e-13)


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_points_are_refused_as_before(compiled, change, message):
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            compiled.logp(POINT | change)
    assert compiled.logp(POINT) == compiled.logp(dict(POINT))


def test_missing_name(compiled):
    with pytest.raises(ValueError, match="missing: scale"):
        compiled.logp({name: value for name, value in POINT.items() if name != "scale"})


def test_threads(compiled):
    points = [POINT | {"count": k, "y_missing": np.array([0.1 * k, 1.0]), "a": 0.1 * k} for k in range(4)]
    wanted = [plain(compiled, point) for point in points]
    wrong = []

    def call(k):
        wrong.extend(k for _ in range(500) if abs(compiled.logp(points[k]) - wanted[k]) > 1e-9)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def small(p, d):
    if p.k == 3:
        raise RuntimeError("no three")
    return np.sum(poisson.logpmf(d.y, p.rate)) - 0.5 * p.rate / p.k


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(at_points, "LOOKED_FOR", 2)
    monkeypatch.setattr(at_points, "MADE", 5)
    # As if the entry had never been made: what is on disk is of other runs.
    return nb.Model({"rate": nb.positive(), "k": nb.integer(1, 5)}, likelihood={"y": small}, data={"y": [1, 4, 2]})


def test_few_calls_compile_nothing(often):
    before = len(Entry.compiled)
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.25 * p.x**2 + 0.5)
    for _ in range(4):
        model.logp({"x": 1.0})
    assert len(Entry.compiled) == before


def test_exceptions_and_new_data(often):
    point = {"rate": 2.0, "k": 2}
    first = [often.logp(point) for _ in range(8)]
    np.testing.assert_allclose(first, first[0], rtol=1e-14)
    assert often.definition._at_points(point) == first[-1]
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no three"):
            often.logp({"rate": 2.0, "k": 3})
    assert often.logp(point) == first[-1]
    often.set_data(y=[1, 4, 2, 8])
    second = [often.logp(point) for _ in range(8)]
    np.testing.assert_allclose(second, plain(often, point), rtol=1e-14)
    assert second[0] != first[0]


def test_weights_of_terms(often):
    def term(p, d):
        return -0.5 * (d.y - p.x) ** 2

    model = nb.Model({"x": nb.real()}, likelihood={"y": term}, data={"y": [1.0, 2.0]}, total_size={"y": 10})
    point = {"x": 0.25}
    assert {round(model.logp(point), 10) for _ in range(8)} == {round(plain(model, point), 10)}
    assert model.definition._at_points(point) is not None


def test_flat_position(often):
    model = nb.Model.flat(lambda x, data: -0.5 * np.sum((x - data) ** 2), 3, np.array([1.0, 2.0, 3.0]))
    point = {"x": np.zeros(3)}
    assert [model.logp(point) for _ in range(8)] == [-7.0] * 8
    assert model.definition._at_points(point) == -7.0


def test_what_stays_plain_python(often):
    bounded = nb.Model({"a": nb.real(), "b": nb.lower(lambda p, d: p.a)}, logp=lambda p, d: -(p.a**2) - p.b**2)
    callable_ = nb.Model.flat(lambda x: -float(x[0]), 1, compile=False)
    uncompilable = nb.Model({"x": nb.real()}, logp=lambda p, d: -np.sum(list({p.x: 1.0})))
    for model, point in ((bounded, {"a": 0.0, "b": 1.0}), (callable_, {"x": [2.0]}), (uncompilable, {"x": 1.5})):
        assert len({model.logp(point) for _ in range(8)}) == 1
