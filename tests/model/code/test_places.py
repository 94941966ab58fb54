"""Generated code reaches parameters in flat memory: no named tuple in it, and no length."""

import re

import numpy as np
import pytest

import nbinfer.model as nb
from nbinfer.autodiff.errors import ADError
from nbinfer.compile import Entry
from nbinfer.compile.forks import cached_property
from nbinfer.compile.indices import UserFunction
from nbinfer.model.code import generate
from nbinfer.model.code.places import Places, minus, plus, times, words
from nbinfer.model.layout import Layout
from nbinfer.model.named import NamedDefinition
from tests.model.small import nested, position


def source(model):
    """Return the text of a model's module, with what was derived, and the generated value."""
    definition = model.definition
    code = model.bind(1)._by_terms
    plan = definition.plan(definition.facts(), False)
    return generate.source(plan._replace(derivatives=code.derivation.source, value=code._value.source))


def names_apart(count, tmp_path):
    """A density of so many named numbers, every third of which is positive."""
    lines = [f"    s -= 0.5 * (p.a{i} - {i}.5) ** 2" for i in range(count)]
    path = tmp_path / f"named_{count}.py"
    path.write_text("\n".join(["def logp(p, d):", "    s = 0.0", *lines, "    return s"]) + "\n")
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    supports = {f"a{i}": nb.positive() if i % 3 == 0 else nb.real() for i in range(count)}
    return nb.Model(supports, logp=names["logp"])


def mixed(k):
    """Lengths that are run-time numbers, in every array that generated code reads."""
    supports = {
        "first": nb.real(),
        "beta": nb.real(k),
        "scale": nb.positive(),
        "share": nb.simplex(k + 1),
        "hits": nb.integer(0, 3, shape=k),
        "block": nb.interval(-1.0, 2.0, shape=(2, k)),
        "one": nb.real(1),
        "over": nb.lower(least, shape=k),
        "last": nb.real(),
    }
    derived = {"total": lambda p, d: np.sum(p.block) + p.last, "doubled": lambda p, d: 2.0 * p.beta}
    return nb.Model(supports, logp=of_all, data={"y": np.linspace(0.0, 1.0, 7)}, derived=derived)


def least(p, d):
    return p.first - p.scale


def of_all(p, d):
    s = -0.5 * np.sum(p.beta**2) - p.scale + np.sum(p.hits) * p.first - 0.5 * p.first**2 + p.one[0] * p.last
    s -= 0.5 * np.sum((d.y - p.last) ** 2) + np.sum(p.block[1] * p.beta) + np.sum(p.over - p.first) - p.one[0] ** 2
    return s + np.sum(np.log(p.share))


@pytest.mark.either
def test_code_of_many_names_grows_with_their_number_and_knows_no_tuple_of_them(tmp_path):
    texts = [source(names_apart(count, tmp_path)) for count in (50, 100, 200)]
    first, second, third = map(len, texts)
    assert third - second < 2.1 * (second - first)
    for text in texts:
        body = text.partition("Parameters = ")[2].partition("\n")[2]
        assert "Parameters(" not in body
        assert "Gradients(" not in body


def test_the_text_knows_no_length():
    assert source(mixed(3)) == source(mixed(5))
    assert source(mixed(3)) != source(mixed(1))  # what has one element broadcasts


def test_as_many_words_are_read_as_are_laid_out():
    layout = mixed(4).definition.layout
    at, texts = Places(layout), []
    for p in layout.parameters.values():
        texts += [at.value(p), at.number("row", p), at.number("gradient", p), at.number("slopes", p)]
    asked = max(int(word) for text in texts for word in re.findall(r"places, (\d+)", text))
    assert asked < len(words(layout))
    assert words(Layout({"a": nb.real(), "b": nb.positive()})).tolist() == [0]  # all is known


def alike():
    """Numbers that are transformed alike, with bounds of their own, before and after others."""
    supports = {f"s{i}": nb.positive() for i in range(3)}
    supports |= {f"u{i}": nb.interval(-1.0 - i, 2.0 * i) for i in range(3)}
    supports |= {"x": nb.real(), "above": nb.lower(of_them), "below": nb.upper(3.0), "last": nb.upper(4.0)}
    return nb.Model(supports, logp=of_numbers)


def of_them(p, d):
    return p.u2 - p.s1


def of_numbers(p, d):
    return -p.s0 - p.s1 * p.s2 + p.u0 * p.u1 - p.u2**2 - 0.5 * (p.x - p.above) ** 2 - p.above + p.below + 2.0 * p.last


def test_numbers_that_are_transformed_alike_share_a_loop():
    text = source(alike())
    density = text[text.index("def fused") : text.index("def density(")]
    assert density.count("forward_") == density.count("pullback_") == 4
    assert density.count("for each in range(3)") == 4


@pytest.mark.parametrize(("model", "discrete"), [(mixed(2), [0, 1]), (mixed(4), [0, 1, 2, 0]), (alike(), [])])
def test_values_and_gradients_are_right_whatever_the_length(model, discrete):
    bound, q = model.bind(1), position(model)
    discrete = np.array(discrete, np.int64)
    value, grad = bound.value_and_grad(q, discrete)
    image, jacobian = model.definition.layout.image(q, model.definition.data_tuple, discrete)
    assert np.isclose(value, model.definition.density_of(image) + jacobian, rtol=1e-12)
    step = 1e-6
    for i in range(model.dim):
        above, below = q.copy(), q.copy()
        above[i] += step
        below[i] -= step
        assert np.isclose(
            grad[i], (bound.value(above, discrete) - bound.value(below, discrete)) / (2 * step), atol=1e-5
        )


@pytest.mark.nojit
def test_another_length_finds_the_code():
    bound = mixed(3).bind(1)
    _ = bound.density, bound.record, bound.value_density
    before = list(Entry.compiled)
    other = mixed(6).bind(1)
    _ = other.density, other.record, other.value_density
    assert Entry.compiled == before


@pytest.mark.nojit
def test_where_the_density_is_derived_the_function_itself_is_not_compiled(monkeypatch):
    def refuse(kernel):
        raise AssertionError("compiled")

    inner = cached_property(refuse)
    inner.__set_name__(UserFunction, "_inner")
    monkeypatch.setattr(UserFunction, "_inner", inner)
    shift = float(np.random.default_rng().uniform())  # so that nothing is found in the cache

    def logp(p, d):
        return -0.5 * (p.x - shift) ** 2

    bound = nb.Model({"x": nb.real()}, logp=logp).bind(1)
    assert np.isclose(bound.value(np.zeros(1)), -0.5 * shift**2)
    assert bound.value_density


@pytest.mark.nojit
def test_where_the_value_alone_cannot_be_read_the_function_gives_it(monkeypatch):
    def refuse(definition):
        raise ADError("no")

    monkeypatch.setattr(NamedDefinition, "derive_value", refuse)
    shift = float(np.random.default_rng().uniform())

    def logp(p, d):
        return -0.5 * (p.x - shift) ** 2

    bound = nb.Model({"x": nb.real()}, logp=logp).bind(1)
    assert bound.has_gradient == "derived"
    assert bound.value_density
    assert Entry.compiled[-1].endswith(".value")


def test_nested_bounds_are_laid_out_by_words():
    assert "read_at(places, " in source(nested())


def test_sums_and_products_of_texts():
    assert plus("a", "0") == "a"
    assert plus("2", "a", "3") == "a + 5"
    assert plus("0", "0") == "0"
    assert times("2", "a + b", "3") == "(a + b) * 6"
    assert times("1", "a") == "a"
    assert times("0", "a") == "0"
    assert minus("7", "3") == "4"
    assert minus("a", "0") == "a"
    assert minus("a", "3") == "a - 3"
