"""The back end that is a file."""

from __future__ import annotations

import os
from collections.abc import Sequence

from nbinfer.arguments import flag, path_of
from nbinfer.spelling import public
from nbinfer.trace.backend import Backend
from nbinfer.trace.disk.layout import check_names
from nbinfer.trace.disk.paths import check_path
from nbinfer.trace.disk.store import HDF5Store

#: What the name of such a file ends with.
SUFFIXES = (".nc", ".h5", ".hdf5")


@public
class HDF5(Backend):
    """A file that takes the draws while they are made, and can go on after whatever ended the run.

    It is HDF5 and at the same time netCDF-4 in the layout of ArviZ: h5py, ``xarray.open_datatree`` and ArviZ open it,
    also while the run goes on; `nbinfer.load` makes a `Trace` of it. Draws need no memory of the process, so there may
    be more of them than memory.

    Parameters
    ----------
    path : str or PathLike
        Name of the file, by custom ending in ``.nc``. While it is made there is another file beside it, NAME.part, and
        during the run NAME.lock.
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, the last of each group.
    overwrite : bool
        Whether a file of that name is replaced, at the moment the new one is ready. Default: it is refused.

    Examples
    --------
    >>> import nbinfer as nb, tempfile, pathlib
    >>> model = nb.Model(parameters={"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.nc"
    >>> trace = nb.sample(model, 2500, trace=nb.HDF5(path, thin=5), random_seed=1)
    >>> nb.load(path)["x"].shape
    (4, 500)
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "mcmc.nc",
        vars: Sequence[str] | None = None,
        thin: int = 1,
        overwrite: bool = False,
    ) -> None:
        super().__init__(vars, thin=thin)
        self.path, self.overwrite = path_of("path", path), flag("overwrite", overwrite)

    def check(self) -> None:
        """Raise if the file exists or its folder is none that can be written to."""
        remedy = f"nb.HDF5({str(self.path)!r}, overwrite=True) replaces it, nb.resume goes on with a run that it holds"
        check_path(self.path, self.overwrite, remedy)

    def admit(self, names: Sequence[str]) -> None:
        """Raise ValueError if there is a name that no netCDF file can hold."""
        check_names(names)

    def open(self, chains: int, tune: int, draws: int) -> HDF5Store:
        """Return the store of a new run."""
        return HDF5Store(self.path, chains, tune, draws, self.thin, overwrite=self.overwrite)
