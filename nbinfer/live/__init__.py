"""Live views: what a run has made so far, looked at while it runs.

A view is a listener of progress, as bars are (`nbinfer.engine.progress.Display`). What it shows is read from the memory
that the run writes to; no kernel knows of it.
"""
