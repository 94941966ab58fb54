"""Steps, optimisers and the like as text: what a file keeps of them, and the way back.

A step is the name of its class and its settings; what else is `kept` is its class and what it was made of. Numbers,
words, arrays, and tuples, lists and mappings of them are kept whole. Of anything else, a function of the user's above
all, only a name and a hash are kept: reading never runs code. Such a thing is passed again by whoever goes on with a
run, and its text must be the same.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import written
from nbinfer.engine.step import StepMethod

Text = Any  # what JSON has: mappings, lists, str, int, float, bool, None

_OURS = "nbinfer."
#: Bases of what texts are made of, and of what is made of texts: of nothing else.
_kinds: list[type] = [StepMethod]
#: What a text calls something that is not kept.
_FOREIGN = "given"

Kind = TypeVar("Kind", bound=type)


def kept(kind: Kind) -> Kind:
    """Have files keep objects of a class and of its subclasses here, and these subclasses themselves.

    An object says by `made_of` what its class is called with, a tuple and a mapping; a dataclass need not.
    """
    _kinds.append(kind)
    return kind


def text_of(value: Any) -> Text:
    """Return what JSON keeps of a step, or of a setting.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : object
        Of mappings, lists, str, int, float, bool and None; equal for equal content.
    """
    if value is None or isinstance(value, bool | str):
        return value if not isinstance(value, str) else str(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [text_of(item) for item in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: text_of(item) for key, item in value.items()}}
    return _text_of_object(value)


def _text_of_object(value: Any) -> Text:
    name = _name_of(value)
    if isinstance(value, type) and issubclass(value, tuple(_kinds)) and name.startswith(_OURS):
        return {"class": name}
    if isinstance(value, StepMethod):
        ours = name.startswith(_OURS)
        # What is not compared is of no effect on draws, such as the model that a step knows.
        kept = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init and f.compare}
        kept = kept if ours else vars(value)
        settings = {field: text_of(setting) for field, setting in kept.items()}
        return {"step": name, "settings": settings} | ({} if ours else _foreign(type(value)))
    made_of = _made_of(value) if isinstance(value, tuple(_kinds)) and name.startswith(_OURS) else None
    if made_of is None:
        return _foreign(value)
    return {"object": name, "args": text_of(made_of[0]), "options": text_of(made_of[1])}


def _made_of(value: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return what the class of an object is called with; None if that is not known."""
    if dataclasses.is_dataclass(value):
        return (), {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    return getattr(value, "made_of", None)


def _name_of(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}:{kind.__qualname__}"


def _foreign(value: Any) -> Text:
    name = getattr(value, "__name__", type(value).__name__)
    return {_FOREIGN: name, "content": written(value)}


def value_of(text: Text) -> Any:
    """Return what a text was made of: the way back from `text_of`.

    Raises
    ------
    ValueError
        If the text is not one of these, or keeps only the name of something.
    """
    if not isinstance(text, Mapping):
        return text
    if "float" in text:
        return float(text["float"])
    if "array" in text:
        data = np.frombuffer(base64.b64decode(text["array"]), np.dtype(text["dtype"]))
        return data.reshape(text["shape"]).copy()
    if "tuple" in text or "list" in text:
        items = [value_of(item) for item in text.get("tuple", text.get("list"))]
        return tuple(items) if "tuple" in text else items
    if "mapping" in text:
        return {key: value_of(item) for key, item in text["mapping"].items()}
    if _FOREIGN not in text and "class" in text:
        return _class(text["class"])
    if _FOREIGN not in text and "step" in text:
        return _class(text["step"])(**{name: value_of(item) for name, item in text["settings"].items()})
    if "object" in text:
        return _class(text["object"])(*value_of(text["args"]), **value_of(text["options"]))
    raise ValueError(f"not kept: {text}")


def _class(name: str) -> type:
    """Return one of the classes that texts name."""
    module, _, qualified = name.partition(":")
    if module.startswith(_OURS):
        found = getattr(importlib.import_module(module), qualified, None)
        if isinstance(found, type) and issubclass(found, tuple(_kinds)):
            return found
    raise ValueError(f"no class of nbinfer that files keep: {name}")


def foreign_in(text: Text) -> list[str]:
    """Return the names of what a text does not keep."""
    if isinstance(text, Mapping):
        own = [text[_FOREIGN]] if _FOREIGN in text else []
        return own + [name for part in text.values() for name in foreign_in(part)]
    return [name for part in text for name in foreign_in(part)] if isinstance(text, list) else []


def title_of(text: Text) -> str:
    """Return how messages call a step: ``GibbsStep('z')``."""
    names = value_of(text["settings"].get("vars"))
    inside = names if names is None or isinstance(names, str) else list(names)
    return f"{text['step'].rpartition(':')[2]}({'' if inside is None else repr(inside)})"


def unlike(before: Text, now: Text) -> Iterator[str]:
    """Tell what differs between two texts of steps of one class: ``target_accept 0.8 -> 0.9``."""
    for name in dict.fromkeys([*before["settings"], *now["settings"]]):
        old, new = before["settings"].get(name), now["settings"].get(name)
        if old != new:
            yield f"{name} {brief(old)} -> {brief(new)}"
    if before.get("content") != now.get("content"):
        yield "the text of the class"


def brief(text: Text) -> str:
    """Return a text in a few words: ``Adam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08)``."""
    if not isinstance(text, Mapping):
        return repr(text)
    if _FOREIGN in text:
        return f"{text[_FOREIGN]} #{(text['content'] or '?')[:12]}"
    if "object" in text:
        options = [f"{name}={brief(item)}" for name, item in text["options"]["mapping"].items()]
        return f"{text['object'].rpartition(':')[2]}({', '.join([*map(brief, text['args']['tuple']), *options])})"
    if "class" in text:
        return str(text["class"].rpartition(":")[2])
    if "array" in text:
        return f"array of shape {tuple(text['shape'])} #{file_digest(text['array'])[:12]}"
    if "mapping" in text:
        return "{" + ", ".join(f"{name!r}: {brief(item)}" for name, item in text["mapping"].items()) + "}"
    if "tuple" in text or "list" in text:
        return f"[{', '.join(map(brief, text.get('tuple', text.get('list'))))}]"
    return repr(value_of(text))
