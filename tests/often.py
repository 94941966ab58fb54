"""Which cases of a test run each time: where many are of one kind, and each is compiled, those that stand for them."""

import pytest


def often(cases, *chosen):
    """List the cases of a test: those that were not chosen are slow, which means: run before an issue is closed."""
    unknown = set(chosen) - set(cases)
    assert not unknown, unknown
    return [case if case in chosen else pytest.param(case, marks=pytest.mark.slow) for case in cases]
