"""Loops, branches, functions inside functions."""

from __future__ import annotations

import math

import numpy as np

REFUSED: dict[str, str] = {}


def loop_over_positions(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] ** 2
    return s


# Lists and dictionaries -----------------------------------------------------------------------------------------------


def list_of_terms(x):
    terms = [x[0], x[1] ** 2]
    terms.append(math.sin(x[2]))
    terms += [x[3]]
    return sum(terms) * terms[-1]


def list_as_an_array(x):
    weights = [x[0], x[1], 2.0]
    return np.sum(np.array(weights) ** 2)


def list_whose_item_changes(x):
    terms = [x[0], x[1]]
    terms[1] *= x[2]
    return terms[0] + terms[1] * len(terms)


def list_repeated(x):
    return np.dot(np.array([x[0]] * 3), x[:3])


def dictionary(x):
    p = {"mu": x[0], "sigma": math.exp(x[1])}
    p["tail"] = x[2:]
    p["sigma"] *= 2.0
    return -((p["tail"][0] - p["mu"]) ** 2) / p["sigma"] + np.sum(p["tail"])
