"""Packaged data."""

import importlib
import io
from pathlib import Path

import numpy as np
import pytest

import nbinfer.datasets
from nbinfer.datasets import get_data
from nbinfer.datasets.columns import columns
from tests.posteriors import read

FOLDER = Path(nbinfer.datasets.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.csv"))


def of(name):
    return importlib.import_module(f"nbinfer.datasets.{name}")


def test_get_data_opens_a_packaged_file():
    file = get_data("eight_schools.csv")
    assert isinstance(file, io.BytesIO)
    assert file.readline() == b"school,effect,sigma\n"


def test_eight_schools_are_those_of_the_reference():
    effect, sigma = np.loadtxt(get_data("eight_schools.csv"), delimiter=",", skiprows=1, usecols=(1, 2), unpack=True)
    known = read("eight_schools", "data.json")
    assert effect.tolist() == known["y"]
    assert sigma.tolist() == known["sigma"]


@pytest.mark.parametrize("name", ["nine_schools.csv", "../errors.py", ""])
def test_an_unknown_name_is_refused_and_the_known_ones_listed(name):
    with pytest.raises(ValueError, match=r"no data file .*choose one of .*eight_schools\.csv"):
        get_data(name)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_has_a_module_that_says_where_it_comes_from(name):
    assert len(NAMES) == 9
    module = of(name)
    arrays = [value for value in vars(module).values() if isinstance(value, np.ndarray)]
    assert {len(array) for array in arrays} == {get_data(f"{name}.csv").read().count(b"\n") - 1}
    if name != "eight_schools":
        assert "\nSource: " in module.__doc__
        documented = [line.split(" : ")[0] for line in module.__doc__.splitlines() if " : ndarray of " in line]
        assert documented == [key for key, value in vars(module).items() if isinstance(value, np.ndarray)]


def test_coal_mining_disasters_were_191_and_became_rarer():
    data = of("coal_mining")
    assert (data.year[0], data.year[-1], data.disasters.sum()) == (1851, 1962, 191)
    early = data.year <= 1890
    assert data.disasters[early].mean() > 3 > 1 > data.disasters[~early].mean()


def test_old_faithful_has_the_means_of_the_literature():
    data = of("old_faithful")
    assert round(data.duration.mean(), 4) == 3.4878
    assert round(data.waiting.mean(), 4) == 70.8971


def test_sleep_study_has_the_slope_of_the_literature():
    data = of("sleep_study")
    assert (len(set(data.subject)), set(data.day)) == (18, set(range(10)))
    np.testing.assert_allclose(np.polyfit(data.day, data.reaction, 1), [10.467, 251.405], atol=5e-4)


def test_berkeley_admitted_more_men_overall_and_more_women_in_most_departments():
    data = of("ucb_admissions")
    men = data.gender == "male"
    assert (data.admitted[men].sum(), data.applied[men].sum()) == (1198, 2691)
    assert (data.admitted[~men].sum(), data.applied[~men].sum()) == (557, 1835)
    rate = data.admitted / data.applied
    assert (rate[~men] > rate[men]).sum() == 4


def test_cold_o_rings_were_in_distress():
    data = of("challenger")
    assert (len(data.flight), data.distress.sum()) == (23, 7)
    assert (data.distress[data.temperature < 65] == 1).all()
    assert sorted(data.temperature[data.distress == 1].tolist()) == [53, 57, 58, 63, 70, 70, 75]


def test_leukemia_trial_has_the_counts_of_its_paper():
    data = of("leukemia")
    drug = data.treatment == "6-MP"
    assert (data.relapsed[drug].sum(), data.relapsed[~drug].sum()) == (9, 21)
    assert (data.weeks[drug].sum(), data.weeks[~drug].sum()) == (359, 182)


def test_penguins_are_of_three_species_with_some_measures_missing():
    data = of("penguins")
    names, counts = np.unique(data.species, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"adelie": 152, "chinstrap": 68, "gentoo": 124}
    assert [np.isnan(x).sum() for x in (data.bill_length, data.bill_depth, data.flipper_length, data.body_mass)] == [
        2
    ] * 4
    assert (data.sex == "").sum() == 11
    assert round(np.nanmean(data.body_mass), 2) == 4201.75


def test_radon_is_that_of_the_reference_posterior():
    data, known = of("radon"), read("radon", "data.json")
    counties = np.unique(data.county, return_inverse=True)[1] + 1
    order, theirs = (np.lexsort(rows) for rows in (
        (data.radon, data.floor, counties), (known["log_radon"], known["floor_measure"], known["county_idx"])
    ))  # fmt: skip
    np.testing.assert_array_equal(data.floor[order], np.array(known["floor_measure"])[theirs])
    np.testing.assert_allclose(np.log(data.radon[order] + 0.1), np.array(known["log_radon"])[theirs], atol=1e-9)
    np.testing.assert_allclose(np.log(data.uranium[order] + 0.1), np.array(known["log_uppm"])[theirs], atol=1e-9)


def test_columns_have_the_types_of_what_is_in_them(monkeypatch):
    text = "a,b,c,d\n1,1.5,x,NA\n2,NA,NA,3\n"
    monkeypatch.setattr("nbinfer.datasets.columns.get_data", lambda name: io.BytesIO(text.encode()))
    a, b, c, d = columns("t.csv")
    assert (a.dtype.kind, b.dtype.kind, c.tolist()) == ("i", "f", ["x", ""])
    np.testing.assert_array_equal(b, [1.5, np.nan])
    np.testing.assert_array_equal(d, [np.nan, 3.0])
