"""Which draws of each chain count, and what they come to, chain by chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Kept:
    """Draws that count; chains may have different numbers of them.

    Parameters
    ----------
    mask : ndarray of bool, shape (chain, draw)
        Whether a draw counts.

    Attributes
    ----------
    mask : ndarray of bool, shape (chain, draw)
    counts : ndarray of int, shape (chain,)
        How many draws of each chain count.
    """

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.counts = mask.sum(axis=1)

    @classmethod
    def span(cls, starts: Any, ends: np.ndarray) -> Kept:
        """Keep the draws from `starts` to before `ends`, numbers for each chain."""
        draw = np.arange(ends.max(initial=0))
        return cls((np.reshape(starts, (-1, 1)) <= draw) & (draw < ends[:, None]))

    def each(self, reduce: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
        """Reduce the draws of each chain to a number.

        Parameters
        ----------
        reduce : callable
            From one array of shape (k, n) for each of `arrays`, n draws of k chains, to shape (k,). Chains with equally
            many draws come together, and a number is the same whichever other chains come with it.
        *arrays : ndarray, shape (chain, draw)
            Further draws do not count.

        Returns
        -------
        numbers : ndarray, shape (chain,)
        """
        order, found = [], []
        for n in sorted(set(self.counts.tolist())):
            chains = np.flatnonzero(self.counts == n)
            mask = self.mask[chains]
            rows = [a[chains, : mask.shape[1]][mask].reshape(len(chains), n) for a in arrays]
            order.append(chains)
            found.append(reduce(*rows))
        return np.concatenate(found)[np.argsort(np.concatenate(order))]

    def together(self, reduce: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
        """Reduce the draws of all chains, as if they were of one, to a number; as `each`, shape (1,)."""
        width = self.mask.shape[1]
        return np.asarray(reduce(*(a[:, :width][self.mask][None] for a in arrays)))
