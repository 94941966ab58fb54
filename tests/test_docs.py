"""What the page on architecture names is there: files, what stands in them, and the rooms in their order."""

import re
from pathlib import Path

from tests.test_imports import FILES, PACKAGE, layer_of, part_of

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = re.search(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[1]
CODE = re.findall(r"`([^`\n]+)`", PAGE.replace(PICTURE, ""))
PATHS = [code for code in CODE if re.fullmatch(r"[\w./]+", code) and ("/" in code or code.endswith(".py"))]

#: A file and a name in it: ``path.py``: ``name``, or the name first and the file in brackets.
PLACES = re.findall(r"`([\w./]+\.py)`: `([\w.]+)`", PAGE)
PLACES += [(path, name) for name, path in re.findall(r"`([\w.]+)`\s\(`([\w./]+\.py)`", PAGE)]


def found(path):
    return next((file for file in (PACKAGE / path, ROOT / path) if file.exists()), None)


def words_of(*files):
    return {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


def test_the_files_that_it_names_exist():
    assert len(PATHS) > 50
    assert [path for path in PATHS if found(path) is None] == []


def test_the_names_that_it_says_are_words_of_the_code():
    files = [*FILES, *(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))]
    names = {word for code in CODE if code not in PATHS for word in re.findall(r"[A-Za-z_]\w*", code)}
    assert len(names) > 100
    assert sorted(names - words_of(*files)) == []


def test_what_it_places_in_a_file_stands_there():
    assert len(PLACES) > 30
    assert [place for place in PLACES if not set(place[1].split(".")) <= words_of(found(place[0]))] == []


def test_its_picture_has_the_rooms_in_their_order():
    rooms = re.findall(r"^(\w+)", PICTURE, re.MULTILINE)
    assert set(rooms) == {part_of(path) for path in FILES} - {"_version"}
    layers = [layer_of(room) for room in rooms]
    assert layers == sorted(layers, reverse=True)


def test_its_picture_has_the_rooms_within_rooms():
    inside = set(re.findall(r"(\w+)/", PICTURE))
    folders = {path.parent.name for path in PACKAGE.glob("*/*/__init__.py")}
    assert folders <= inside
    assert [name for name in inside - folders if not (PACKAGE / name).is_dir()] == []
