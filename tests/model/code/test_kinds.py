"""The dtype of a derived quantity holds at every point; nothing is cut."""

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.compile import address_of


def logp(p, d):
    return -0.5 * p.x**2


def clipped(v):
    return 0 if v < 0.7 else v


def counted(p, d):
    k = 0
    for i in range(3):
        if p.x > i:
            k += 1
    return k


DERIVED = {
    "excess": lambda p, d: max(0, p.x - 1.0),
    "either": lambda p, d: 1 if p.x < 0.5 else p.x,
    "helper": lambda p, d: clipped(p.x),
    "chosen": lambda p, d: np.where(np.arange(3) < 2, 0.5 * p.x, 1.0),
    "truth": lambda p, d: p.x > 0.0,
    "truths": lambda p, d: np.arange(3) < p.x,
    "count": counted,
    "counts": lambda p, d: np.where(np.arange(3) < p.x, 1, 0),
    "cut": lambda p, d: int(p.x),
}
KINDS = dict.fromkeys(DERIVED, "float64") | {
    "truth": "bool", "truths": "bool", "count": "int64", "counts": "int64", "cut": "int64",
}  # fmt: skip


def row(bound, x):
    """Return what the C function writes, and its status."""
    out, q = np.full(bound.row_size, np.nan), np.array([x])
    return out, bound._code.entry("record")(1, address_of(q), address_of(out), bound.context(bound.chains))


def test_dtypes_are_inferred_and_values_are_kept():
    model = nb.Model({"x": nb.real()}, logp=logp, derived=DERIVED)
    bound = model.bind()
    assert {c.name: c.dtype for c in bound.columns if c.kind == "derived"} == KINDS
    for x in (-1.3, 0.0, 0.6, 1.75, 2.5):
        out, status = row(bound, x)
        assert status == 0
        for column in bound.columns[1:]:
            expected = model.derived_values({"x": x})[column.name]
            np.testing.assert_array_equal(out[column.offset : column.offset + column.size], np.ravel(expected))


def test_dtypes_are_kept_beside_the_machine_code(monkeypatch):
    first = nb.Model({"x": nb.real()}, logp=logp, derived={"excess": DERIVED["excess"], "count": counted}).bind()
    monkeypatch.setattr("nbinfer.model.code.kinds._inferred", lambda *args: pytest.fail("inferred anew"))
    second = nb.Model({"x": nb.real()}, logp=logp, derived={"excess": DERIVED["excess"], "count": counted}).bind()
    assert second.columns == first.columns


def test_integers_that_floats_do_not_hold_are_no_draws():
    derived = {"big": lambda p, d: 2**53 + int(p.x), "many": lambda p, d: np.array([2**53, 1]) + int(p.x)}
    bound = nb.Model({"x": nb.real()}, logp=logp, derived=derived).bind()
    assert [c.dtype for c in bound.columns[1:]] == ["int64", "int64"]
    assert row(bound, 0.5)[1] == 0
    assert row(bound, 1.5)[1] == 1
