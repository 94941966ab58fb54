"""Ways to look at the finished draws of a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import flag, several
from nbinfer.spelling import public
from nbinfer.trace.names import UnknownNameError, has, listed, statistic, unknown
from nbinfer.trace.rows import Counts, whole_number


@public
class Reader:
    """The part of a trace that looks things up and changes nothing."""

    posterior: dict[str, NDArray[Any]]
    sample_stats: dict[str, NDArray[Any]]
    draws_done: Counts
    chain_ids: list[int]

    @property
    def nchains(self) -> int:
        """Number of chains."""
        return len(self.chain_ids)

    @property
    def chains(self) -> list[int]:
        """Numbers of the chains, in the order of the arrays' first axis."""
        return list(self.chain_ids)

    @property
    def varnames(self) -> list[str]:
        """Names of the variables."""
        return list(self.posterior)

    @property
    def stat_names(self) -> list[str]:
        """Stored names of the statistics."""
        return list(self.sample_stats)

    def get_values(
        self,
        varname: str,
        burn: int = 0,
        thin: int = 1,
        combine: bool = True,
        chains: int | Sequence[int] | None = None,
        squeeze: bool = True,
    ) -> Any:
        """Return the finished draws of a variable.

        Parameters
        ----------
        varname : str
            Name of the variable.
        burn : int
            Draws to leave out at the start of each chain.
        thin : int
            Keep every so many draws.
        combine : bool
            Whether to put the chains one behind the other, into one new array.
        chains : int or sequence of int, optional
            Numbers of the chains to use, in this order. Default: all.
        squeeze : bool
            Whether to return an array instead of a list of one.

        Returns
        -------
        values : ndarray, shape (draws of all chains, ...), or list of ndarray, shape (draws, ...)
            With ``combine=False`` one view per chain.
        """
        if not has(self.posterior, varname):
            raise UnknownNameError(unknown("variable", varname, self.posterior, "varname: "))
        return self._finished(self.posterior[varname], burn, thin, combine, chains, squeeze)

    def get_sampler_stats(
        self,
        stat_name: str,
        burn: int = 0,
        thin: int = 1,
        combine: bool = True,
        chains: int | Sequence[int] | None = None,
        squeeze: bool = True,
    ) -> Any:
        """Return a statistic of the finished draws.

        Parameters
        ----------
        stat_name : str
            A name in `stat_names`, or an older spelling of one, e.g. ``"mean_tree_accept"``.
        burn : int
            Draws to leave out at the start of each chain.
        thin : int
            Keep every so many draws.
        combine : bool
            Whether to put the chains one behind the other, into one new array.
        chains : int or sequence of int, optional
            Numbers of the chains to use, in this order. Default: all.
        squeeze : bool
            Whether to return an array instead of a list of one.

        Returns
        -------
        values : ndarray, shape (draws of all chains, [sampler]), or list of ndarray, shape (draws, [sampler])
            A statistic that several samplers report has them along the last axis.
        """
        stored = statistic(stat_name, self.sample_stats)
        if not has(self.sample_stats, stored):
            raise UnknownNameError(unknown("statistic", stat_name, self.sample_stats, "stat_name: "))
        return self._finished(self.sample_stats[stored], burn, thin, combine, chains, squeeze)

    def point(self, idx: int, chain: int | None = None) -> dict[str, Any]:
        """Return one draw.

        Parameters
        ----------
        idx : int
            Number of the draw; negative numbers count from the last finished one.
        chain : int, optional
            Number of the chain. Default: the highest.

        Returns
        -------
        point : dict of str to scalar or ndarray
            A copy of the values of all variables.
        """
        row = self._last if chain is None else self._rows_of(whole_number("chain", chain, 0), "chain")[0]
        done, draw = int(self.draws_done[row]), whole_number("idx", idx, -(2**63))
        if not -done <= draw < done:
            raise IndexError(f"idx: draw {draw} is out of range: chain {self.chain_ids[row]} has {done} finished draws")
        return self._point(row, draw % done)

    def points(self, chains: int | Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
        """Visit the finished draws of chain after chain.

        Parameters
        ----------
        chains : int or sequence of int, optional
            Numbers of the chains, in this order. Default: all.

        Returns
        -------
        points : iterator of dict
            See `point`.
        """
        rows = self._rows_of(chains)
        return (self._point(row, draw) for row in rows for draw in range(int(self.draws_done[row])))

    @property
    def _last(self) -> int:
        """Row of the highest-numbered chain."""
        return self.chain_ids.index(max(self.chain_ids))

    def _stored(self, name: str) -> NDArray[Any] | None:
        """Return the array of that name; variables come before statistics, those before old spellings."""
        array = self.posterior.get(name)
        return self.sample_stats.get(statistic(name, self.sample_stats)) if array is None else array

    def _array(self, name: str) -> NDArray[Any]:
        array = self._stored(name)
        if array is None:
            raise UnknownNameError(unknown("variable or statistic", name, [*self.posterior, *self.sample_stats]))
        return array

    def _rows_of(self, chains: int | Sequence[int] | None, name: str = "chains") -> list[int]:
        if chains is None:
            return list(range(self.nchains))
        wanted = [chains] if isinstance(chains, int | np.integer) else several("chains", chains)
        strange = [c for c in wanted if not isinstance(c, int | np.integer) or c not in self.chain_ids]
        if strange or not wanted:
            raise ValueError(f"{name} must be among {listed(self.chain_ids)}, got {listed(strange)}")
        return [self.chain_ids.index(chain) for chain in wanted]

    def _finished(
        self,
        array: NDArray[Any],
        burn: int,
        thin: int,
        combine: bool,
        chains: int | Sequence[int] | None,
        squeeze: bool,
    ) -> Any:
        flag("combine", combine)
        flag("squeeze", squeeze)
        burn, thin = whole_number("burn", burn, 0), whole_number("thin", thin, 1)
        parts = [array[row, burn : int(self.draws_done[row]) : thin] for row in self._rows_of(chains)]
        if combine:
            parts = [np.concatenate(parts)]
        return parts[0] if squeeze and len(parts) == 1 else parts

    def _point(self, row: int, draw: int) -> dict[str, Any]:
        return {name: array[row, draw].copy() for name, array in self.posterior.items()}
