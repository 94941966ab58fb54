"""Sphinx reads the Markdown as it lies here."""

project = "nbinfer"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 2  # pages link to headings, `prediction.md#new-data`
html_theme = "alabaster"
