"""Odd arguments of every public callable: no crash, no hang, and each error names its argument."""

import pytest

from tests.arguments import VALUES, attempt, catalogue, plan, run

#: What draws, and so compiles, or starts many runs.
RUNS = (
    "DADVI.fit",
    "BaM.fit",
    "fit",
    "Inference.fit",
    "Learnt",
    "Pathfinder.fit",
    "sample",
    "resume",
    "iter_sample",
    "init_nuts",
    "find_map",
    "find_hessian",
    "guess_scaling",
    "astep",
    "step",
    "on",
)

#: Other names, or behind one that is tried; bases, which take what their subclasses do.
NOT_ALONE = {"MultiTrace", "value_and_grad", "Inference", "KSDObjective", "ObjectiveFunction", "Operator",
             "TestFunction", "apply_momentum", "apply_nesterov_momentum", "callbacks", "optimizers",
             "traceplot"}  # fmt: skip


def unclear(found):
    return [f"{' '.join(call)}: {outcome}" for call, outcome in found.items() if outcome not in ("accepted", "named")]


@pytest.mark.either
def test_every_public_callable_is_tried():
    import nbinfer as nb

    callables = {name for name in nb.__all__ if callable(getattr(nb, name))}
    assert callables - set(catalogue()) <= NOT_ALONE
    assert len(VALUES) >= 40


@pytest.mark.either
@pytest.mark.filterwarnings("ignore")
def test_errors_name_their_argument():
    """Here a third of what is checked where it comes in; the slow test has the rest, in processes that may die."""
    calls = catalogue()
    found = {
        (name, argument, label): attempt(*calls[name], argument, label)
        for name, argument, label in list(plan())[::3]
        if name not in RUNS
        and name not in ("grad", "grad by entries", "check_grad", "custom_vjp")
        and not name.startswith("model.")
    }
    assert len(found) > 1700
    assert not unclear(found)


@pytest.mark.slow
@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
def test_no_argument_crashes_hangs_or_goes_unnamed(plain):
    found = run(plain=plain)
    assert len(found) > 10_000
    assert not unclear(found)
