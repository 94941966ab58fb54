"""Tests stand where what they test stands."""

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "nbinfer"

#: Folders that no room has: what tests share, and models with known answers.
OF_THEIR_OWN = {"bench", "laws", "posteriors", "references"}


def folders(root):
    """Return the folders of Python files below a root, as paths relative to it."""
    return {path.parent.relative_to(root) for path in root.rglob("*.py")} - {Path()}


def has_tests(room):
    return any((TESTS / room).rglob("test_*.py")) or (TESTS / room.parent / f"test_{room.name}.py").exists()


def test_every_room_has_tests():
    assert [str(room) for room in sorted(folders(PACKAGE)) if not has_tests(room)] == []


def test_every_folder_of_tests_has_a_room():
    found = folders(TESTS) - folders(PACKAGE)
    assert {str(folder) for folder in found if folder.parts[0] not in OF_THEIR_OWN} == set()


def test_a_file_is_one_thing():
    lengths = {str(path.relative_to(TESTS)): len(path.read_text().splitlines()) for path in TESTS.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 450} == {}
