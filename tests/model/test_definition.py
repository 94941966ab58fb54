"""What a model is does not change: the model holds another definition, bounds keep the one that they were made of."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.model.definition import CompiledDefinition, Definition
from nbinfer.model.foreign.c_functions import CDefinition
from nbinfer.model.foreign.callables import CallableDefinition
from nbinfer.model.foreign.flat import FlatDefinition
from nbinfer.model.named import NamedDefinition
from tests.model.foreign.test_flat import CENTRE, Q, in_c, value
from tests.model.small import eight_schools


def models():
    return {
        NamedDefinition: eight_schools(),
        FlatDefinition: nb.Model.flat(value, 3, CENTRE),
        CallableDefinition: nb.Model.flat(value, 3, CENTRE, compile=False),
        CDefinition: nb.Model.flat(in_c, 3, context=CENTRE),
    }


@pytest.mark.parametrize("kind", models())
def test_every_model_is_a_model_around_a_definition(kind):
    model = models()[kind]
    assert type(model) is nb.Model
    assert type(model.definition) is kind
    assert issubclass(kind, CompiledDefinition) == (kind in (NamedDefinition, FlatDefinition))
    assert vars(model) == {"definition": model.definition}
    assert model.bind(2).definition is model.definition
    again = nb.Model.of(model.definition)
    assert repr(again) == repr(model)
    q = np.linspace(0.1, 0.3, model.dim)
    assert again.logp_unconstrained(q) == model.logp_unconstrained(q)


@pytest.mark.parametrize("kind", models())
def test_a_definition_does_not_change(kind):
    definition = models()[kind].definition
    for field in dataclasses.fields(definition):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(definition, field.name, None)


def test_new_data_make_a_new_definition():
    model = nb.Model.flat(value, 3, CENTRE)
    bound, definition, other = model.bind(), model.definition, copy.copy(model)
    model.set_data(data=np.zeros(3))
    assert model.definition is not definition
    assert other.definition is bound.definition is definition
    assert model.logp({"x": Q}) == pytest.approx(-0.5 * np.sum(Q**2))
    assert bound.value(Q) == bound.replay(Q) == other.logp({"x": Q}) != model.logp({"x": Q})


def test_what_is_pickled_is_what_was_given():
    definition = eight_schools().definition
    assert definition.data_tuple.y[0] == 28.0  # of a class that has no name by which to find it
    there = pickle.loads(pickle.dumps(definition))
    assert set(vars(there)) == {field.name for field in dataclasses.fields(Definition)}
    assert there.content(True) == definition.content(True)
    assert definition.content(True) != definition.content(False)
