"""Packaged data."""

import io

import numpy as np
import pytest

from nbinfer.datasets import get_data
from tests.posteriors import read


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
    with pytest.raises(ValueError, match=r"no data file .*choose one of eight_schools\.csv"):
        get_data(name)
