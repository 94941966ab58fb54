"""Fits that leave a file by which they can be gone on with, whatever ends them.

`keeping` is the file while the fit runs: losses as they come, and snapshots between iterations. `recipe` says what the
fit is, so that another process can make it again and tell whether it is the same. `resuming` goes on.
"""
