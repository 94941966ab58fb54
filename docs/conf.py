"""Sphinx reads the Markdown as it lies here."""

project = "nbinfer"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
