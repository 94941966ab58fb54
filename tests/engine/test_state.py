"""State declared once: where everything lies, that copies find their own memory, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbinfer.compile import address_of
from nbinfer.engine.state import BLOCK, ROW, WORK, Inner, Memory, Plan, State, floats, integers, per_coordinate

COUNTER = State({"count": "i8", "total": "f8"})
WALK = State(
    {"width": "f8"},
    parts={"counter": COUNTER, "centre": floats(per_coordinate), "order": integers(3)},
    work={"trial": floats(lambda owner, site: owner.factor * site.n)},
    statistics={"lp": "float64", "moved": "bool"},
)
PAIR = State(parts={"first": Inner(lambda owner: owner.inner), "second": WALK})
SITE = SimpleNamespace(n=5)


def placed(state=PAIR):
    inner = SimpleNamespace(state=WALK, factor=2)
    plan = Plan()
    place = plan.place(state, SimpleNamespace(inner=inner, factor=1), SITE)
    return plan, place, [np.zeros(size, np.int64) for size in plan.sizes]


def relocated(plan, spaces):
    plan.relocate(spaces[BLOCK][None], np.array([[address_of(space) for space in spaces]], np.int64))


def test_numbers_and_arrays_are_known_by_name():
    _, place, spaces = placed()
    memory = Memory(place, *spaces[:2])
    memory.first.width = 0.5
    memory.first.counter.count = 7
    memory.second.centre[:] = np.arange(5.0)
    memory.second.order[:] = 3, 1, 2
    assert memory.first.width == 0.5
    assert memory.second.width == 0.0
    assert memory.first.counter.record["count"] == 7
    assert memory.second.centre.tolist() == [0, 1, 2, 3, 4]
    assert [memory.first.trial.size, memory.second.trial.size] == [10, 5]


def test_no_two_things_share_memory():
    _, place, spaces = placed()
    memory = Memory(place, *spaces[:2])
    for value, walk in enumerate((memory.first, memory.second), 1):
        walk.centre[:] = walk.trial[:] = value
        walk.order[:] = value
    for value, walk in enumerate((memory.first, memory.second), 1):
        assert (walk.centre == value).all()
        assert (walk.trial == value).all()
        assert (walk.order == value).all()


def test_addresses_lead_to_a_copy_s_own_memory():
    plan, place, spaces = placed()
    relocated(plan, spaces)
    copies = [space.copy() for space in spaces]
    relocated(plan, copies)
    for these in (spaces, copies):
        memory = Memory(place, *these[:2])
        walk = memory.second.record
        assert memory.record["second"] == memory.second.address
        assert walk["centre"] == address_of(memory.second.centre)
        assert walk["trial"] == address_of(memory.second.trial)
        assert walk["counter"] == memory.second.counter.address
        assert address_of(these[WORK]) <= walk["trial"] < address_of(these[WORK]) + 8 * plan.sizes[WORK]
        # The statistics of all lie side by side in one row.
        assert memory.first.record["statistics"] == address_of(these[ROW])
        assert walk["statistics"] == address_of(these[ROW]) + 16
    assert plan.sizes[ROW] == 4


@pytest.mark.parametrize(
    "other",
    [
        State({"width": "i8"}, parts=WALK.parts, work=WALK.work, statistics=WALK.statistics),
        State({"breadth": "f8"}, parts=WALK.parts, work=WALK.work, statistics=WALK.statistics),
        State(WALK.fields, parts=WALK.parts | {"order": integers(12)}, work=WALK.work, statistics=WALK.statistics),
        State(WALK.fields, parts=WALK.parts, work=WALK.work, statistics={"lp": "float64", "moved": "int64"}),
    ],
    ids=["kind", "name", "size", "statistic"],
)
def test_the_fingerprint_tells_forms_apart(other):
    assert placed(WALK)[0].fingerprint == placed(WALK)[0].fingerprint
    assert placed(other)[0].fingerprint != placed(WALK)[0].fingerprint


def test_what_is_not_declared_is_refused():
    _, place, spaces = placed(WALK)
    memory = Memory(place, *spaces[:2])
    with pytest.raises(AttributeError, match="no 'breadth' is declared"):
        memory.breadth  # noqa: B018
    with pytest.raises(AttributeError, match="'breadth' is no declared number"):
        memory.breadth = 1.0
    with pytest.raises(AttributeError, match="'centre' is no declared number"):
        memory.centre = np.zeros(5)  # arrays are written into


def test_names_that_numpy_s_records_have_are_refused():
    with pytest.raises(ValueError, match="attributes called mean; choose other names"):
        State({"mean": "f8"})


def test_a_declaration_grows():
    grown = State({"depth": "i8"}, base=WALK, statistics={"depth": "int64"})
    assert list(grown.statistics) == ["lp", "moved", "depth"]
    assert set(WALK.record.names) < set(grown.record.names)
