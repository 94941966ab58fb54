"""Sphinx reads the Markdown as it lies here; the scripts of the gallery make its pictures first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import make_gallery

project = "nbinfer"
extensions = ["myst_parser"]
exclude_patterns = ["_build", "benchmarks"]  # the latter are tables that programs print
myst_heading_anchors = 2  # pages link to headings, `prediction.md#new-data`
html_theme = "alabaster"


def setup(app):
    app.connect("builder-inited", lambda app: make_gallery.once())
