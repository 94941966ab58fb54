"""Groups that together hold all parameters of a model, and the moments of what they approximate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice, instance, several
from nbinfer.errors import GroupError
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.random import seed_sequences
from nbinfer.spelling import public
from nbinfer.variational.group import Group
from nbinfer.variational.labels import Labelled
from nbinfer.variational.starts import refuse_discrete
from nbinfer.variational.values import Shared

Floats = NDArray[np.float64]


@public
class Grouped(Labelled):
    """What an approximation knows of its groups; see `Approximation`.

    Parameters
    ----------
    groups : Group or sequence of Group
    model : Model, optional
    random_seed : None, int, SeedSequence or Generator
    """

    def __init__(self, groups: Group | Sequence[Group], model: Model | None = None, random_seed: Any = None) -> None:
        self.groups = [groups] if isinstance(groups, Group) else several("groups", groups, "groups")
        for k, group in enumerate(self.groups):
            instance(f"groups[{k}]", group, Group, "a Group")
        if model is None:  # a group may know it
            model = next((group.model for group in self.groups if not group.is_delayed), None)
        self.model = the_model(model)
        if random_seed is None:
            random_seed = next((g.random_seed for g in self.groups if g.random_seed is not None), None)
        self._sequence = seed_sequences(random_seed, 1)[0]
        refuse_discrete(self.model, list(self.model.parameters))
        self._settle()
        for k, group in enumerate(self.groups):
            own = self._sequence
            group.begin(np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, 2, k)))

    def _settle(self) -> None:
        """Have the groups divide the parameters among themselves."""
        delayed = [group for group in self.groups if group.is_delayed]
        if len(delayed) > 1:
            raise GroupError(f"one group may take what is left over, got {len(delayed)}.")
        taken: dict[str, Group] = {}
        for group in self.groups:
            for name in group.names or ():
                if name in taken:
                    raise GroupError(f"{name} is in two groups; each parameter belongs to one.")
                taken[name] = group
        left = [name for name in self.model.parameters if name not in taken]
        if delayed:
            if not left:
                raise GroupError("one group is to take what is left over, and nothing is.")
            delayed[0].settle(self.model, left)
        elif left:
            raise GroupError(f"no group has {', '.join(left)}; add nb.Group(None, 'mean_field') for what is left over.")
        foreign = [g for g in self.groups if g.model.layout is not self.model.layout]
        if foreign:
            raise GroupError(f"{foreign[0]!r} belongs to another model.")

    @property
    def sequence(self) -> np.random.SeedSequence:
        """The seed of fits and draws."""
        return self._sequence

    @sequence.setter
    def sequence(self, sequence: np.random.SeedSequence) -> None:
        self._sequence = sequence

    # ---- groups

    @property
    def params(self) -> list[Shared]:
        """Parameters of all families."""
        return [shared for group in self.groups for shared in group.params]

    def collect(self, item: str, part: str = "total") -> list[Any]:
        """Return an attribute of each group.

        Parameters
        ----------
        item : str
            Name of the attribute.
        part : {'total', 'global', 'local', 'batched'}
            Of all groups, or of those of a kind.

        Returns
        -------
        values : list
        """
        kinds: dict[str, Callable[[Group], bool]] = {
            "total": lambda group: True,
            "global": lambda group: not group.is_local,
            "local": lambda group: group.is_local,
            "batched": lambda group: group.rowwise or group.is_local,
        }
        choice("part", part, tuple(kinds))
        given: Any = item
        if not isinstance(given, str) or not all(hasattr(group, given) for group in self.groups):
            raise ValueError(f"item must name an attribute of a Group, such as 'mean' or 'ddim', got {item!r}.")
        return [getattr(group, item) for group in self.groups if kinds[part](group)]

    @property
    def has_logq(self) -> bool:
        """Whether the density of draws is known."""
        return all(group.has_logq for group in self.groups)

    @property
    def has_local(self) -> bool:
        """Whether a group is local."""
        return any(group.is_local for group in self.groups)

    @property
    def has_global(self) -> bool:
        """Whether a group is global."""
        return any(not group.is_local for group in self.groups)

    @property
    def has_batched(self) -> bool:
        """Whether a group approximates row by row."""
        return any(group.rowwise or group.is_local for group in self.groups)

    @property
    def any_histograms(self) -> bool:
        """Whether a group is empirical."""
        return any(group.short_name == "empirical" for group in self.groups)

    @property
    def all_histograms(self) -> bool:
        """Whether all groups are empirical."""
        return all(group.short_name == "empirical" for group in self.groups)

    @property
    def ndim(self) -> int:
        """Number of unconstrained coordinates; local parameters have those of all rows of the data."""
        return self.placed[0].dim

    @property
    def ddim(self) -> int:
        """Unconstrained coordinates of one row of each group."""
        return sum(group.ddim for group in self.groups)

    @property
    def placed(self) -> tuple[Model, list[Group]]:
        """The model with as many rows as there are data, and the groups there."""
        return self.model, self.groups

    # ---- moments

    @property
    def centre(self) -> Floats:
        """Unconstrained coordinates of the draw whose noise is 0, in the model's order, shape (ndim,)."""
        return self._whole(lambda group: group.centre)

    @property
    def mean(self) -> Floats:
        """Means of the unconstrained coordinates in the model's order, shape (ndim,)."""
        return self._whole(lambda group: group.mean)

    @property
    def std(self) -> Floats:
        """Their standard deviations, shape (ndim,)."""
        return self._whole(lambda group: group.std)

    @property
    def cov(self) -> Floats:
        """Their covariance, shape (ndim, ndim)."""
        model, groups = self.placed
        found = np.zeros((model.dim, model.dim))
        for group in groups:
            found[np.ix_(group.coordinates, group.coordinates)] = group.cov
        return found

    def _whole(self, part: Callable[[Group], Floats]) -> Floats:
        return gathered(*self.placed, part)

    def _labels(self) -> tuple[Model, Sequence[str]]:
        return self.placed[0], list(self.model.parameters)

    @property
    def short_title(self) -> str:
        """The families, for display."""
        return " and ".join(dict.fromkeys(group.short_name for group in self.groups))


def gathered(model: Model, groups: Sequence[Group], part: Callable[[Group], Floats]) -> Floats:
    """Return one number for each coordinate of a model, of which each group gives its own.

    Parameters
    ----------
    model : Model
    groups : sequence of Group
    part : callable
        From a group to its numbers.
    """
    found = np.zeros(model.dim)
    for group in groups:
        found[group.coordinates] = part(group)
    return found
