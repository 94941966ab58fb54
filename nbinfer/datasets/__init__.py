"""Small data sets that come with the package."""

from __future__ import annotations

from io import BytesIO

from nbinfer.arguments import instance
from nbinfer.spelling import meant, public

__all__ = ["get_data"]


@public
def get_data(filename: str) -> BytesIO:
    r"""Open a data file of the package.

    Parameters
    ----------
    filename : str
        Name of the file, such as ``"eight_schools.csv"``.

    Returns
    -------
    file : BytesIO
        The bytes of the file, open for reading.

    Raises
    ------
    ValueError
        If there is no such file; the message lists those there are.

    Examples
    --------
    >>> from nbinfer.datasets import get_data
    >>> get_data("eight_schools.csv").readline()
    b'school,effect,sigma\n'
    """
    from importlib import resources

    files = {f.name: f for f in resources.files("nbinfer.datasets").iterdir() if f.name.endswith(".csv")}
    instance("filename", filename, str, "a str")
    if filename not in files:
        near = meant(filename, files)
        raise ValueError(
            f"filename: there is no data file {filename!r}; choose one of {', '.join(sorted(files))}.{near}"
        )
    return BytesIO(files[filename].read_bytes())
