"""Run the scripts of the gallery, which make its pictures: ``python docs/make_gallery.py [FOLDER]``."""

import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "gallery.md"
FOLDER = PAGE.parent / "gallery"


def scripts() -> dict[str, str]:
    """Return the scripts of the page, by the headings that they stand below."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def pictures() -> list[str]:
    """Return the names of the files that the page shows."""
    return re.findall(r"\]\(gallery/([\w.]+)\)", PAGE.read_text(encoding="utf-8"))


def run(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run each script in a folder, where it leaves its pictures; give its heading and its variables."""
    folder.mkdir(exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for heading, text in scripts().items():
            script = folder / f"{re.sub(r'[^a-z]+', '_', heading.lower())}.py"  # a file: gradients are derived from it
            script.write_text(text, encoding="utf-8")
            yield heading, runpy.run_path(str(script))
    finally:
        os.chdir(before)


def once() -> None:
    """Make the pictures where the page looks for them, unless all are there and none is older than the page."""
    made = [FOLDER / name for name in pictures()]
    if not all(path.exists() and path.stat().st_mtime > PAGE.stat().st_mtime for path in made):
        for _ in run(FOLDER):
            pass


if __name__ == "__main__":
    for heading, _ in run(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(f"--- {heading}")  # noqa: T201
