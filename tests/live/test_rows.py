"""Rows of text: as wide as they may be, and true."""

import io
import itertools

import numpy as np
import pytest

from nbinfer.live.rows import letters_of, mixed, rows, said
from nbinfer.live.scene import Scene, Series, label_of, left_out, some
from nbinfer.live.sparks import BLOCKS, PLAIN, cells, fitted, path, profile, spark

RNG = np.random.default_rng(1)


def draws(label="mu", n=200, chains=2, values=None, begin=0, kind="draws"):
    each = [RNG.normal(3.0, 1.0, n) if values is None else np.array(values, float) for _ in range(chains)]
    return Series(label, each, [np.arange(len(v)) for v in each], begin, kind)


ODD = {
    "one draw": draws(n=1),
    "one chain": draws(chains=1),
    "none": draws(n=0),
    "warm-up": draws(begin=500),
    "constant": draws(values=[5.0] * 20),
    "NaN": draws(values=[1.0, np.nan, 2.0, np.inf] * 5),
    "all NaN": draws(values=[np.nan] * 9),
    "huge": draws(values=[1e308, -1e308] * 9),
    "a long name": draws("a_name_that_is_longer_than_any_screen_that_there_is[0, 1]" * 3),
    "wide letters": draws("学校学校学校学校学校学校学校"),
    "combining": draws("e\u0301" * 30),
    "ragged": Series("x", [RNG.normal(size=50), RNG.normal(size=9)], [np.arange(50), np.arange(9)]),
    "losses": draws(chains=1, kind="losses"),
    "particles": Series("x", [RNG.normal(size=100)], kind="particles"),
    "few particles": Series("x", [np.array([1.0])], kind="particles"),
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", ODD)
def test_a_row_is_no_wider_than_the_screen(name):
    scene = Scene([ODD[name], draws()], ["chain 0", "chain 1"], "2 of 9 quantities")
    for width, letters in itertools.product([1, 7, 20, 40, 59, 99, 139, 400], [BLOCKS, PLAIN]):
        found = rows(scene, width, letters)
        assert len(found) == 3
        assert max(map(cells, found)) <= width
        assert letters == BLOCKS or all(row.isascii() for row in found)


@pytest.mark.parametrize(("name", "words"), [
    ("one draw", ""), ("none", "…"), ("warm-up", "warm-up"), ("constant", "5, constant"), ("NaN", "20 not finite"),
    ("all NaN", "18 not finite"), ("losses", ""),
])  # fmt: skip
def test_what_a_row_says(name, words):
    assert words in said(ODD[name])
    assert "nan" not in said(ODD[name])


def test_mean_and_spread_are_of_what_counts():
    series = Series("x", [np.array([1e6, 1e6, 1.0, 3.0])], [np.arange(4)], 2)
    assert said(series) == "2 ± 1.4"


def test_chains_that_disagree_are_seen():
    apart = draws(n=400)
    apart.values[1][:] += 5.0
    assert float(mixed(apart).split()[-1]) > 1.5
    assert float(mixed(draws(n=400)).split()[-1]) < 1.05
    assert mixed(ODD["one draw"]) == mixed(ODD["losses"]) == mixed(ODD["NaN"]) == ""


def test_a_spark_goes_up_and_down():
    assert spark(np.array([0.0, 1.0, 7.0, np.nan])) == "▁▂█ "
    assert spark(np.arange(8.0)) == BLOCKS
    assert len(set(spark(np.full(5, 3.0)))) == 1


def test_a_path_is_of_stretches():
    rising = draws(chains=3, values=np.arange(100.0))
    assert path(rising, 4) == pytest.approx([12.0, 37.0, 62.0, 87.0])
    assert np.isnan(path(draws(n=3), 10)[3:]).all()


def test_a_profile_has_its_top_where_values_are():
    found = profile(np.concatenate([np.full(500, 0.5), np.linspace(0, 2, 100)]), 20)
    assert found.argmax() < 10
    assert np.isnan(profile(np.full(5, 1.0), 4)).all()


def test_texts_are_cut_by_cells():
    assert fitted("学校学校", 5) == "学校…"
    assert fitted("abc", 5) == "abc  "


def test_letters_are_those_that_can_be_written():
    for encoding, letters in (("utf-8", BLOCKS), ("ascii", PLAIN), ("latin-1", PLAIN), ("no such", PLAIN)):
        file = io.StringIO()
        assert letters_of(type("File", (), {"encoding": encoding})()) == letters
    assert letters_of(file) == letters_of(None) == PLAIN


def test_of_many_elements_some_of_each_variable_are_chosen():
    assert some([1, 10_000, 3], 6) == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    assert some([2, 2], 9) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert left_out(6, 10_004, 8, 1000) == "6 of 10,004 quantities; most= and var_names= show others; 8 of 1,000 chains"
    assert left_out(4, 4) == ""


def test_elements_are_called_by_their_labels():
    model = type("Model", (), {"dims": {"theta": ("school",)}, "coords": {"school": ["A", "B"]}})
    assert label_of(model, "theta", (2,), 1) == "theta[B]"
    assert label_of(model, "omega", (2, 3), 5) == "omega[1,2]"
    assert label_of(model, "mu", (), 0) == "mu"
