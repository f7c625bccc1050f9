"""Links in a folder of images are followed once and never upwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from named_files import classes, fill, left_out, many

from deit_core.image_folders import list_folder

LINKS: dict[str, tuple[dict[str, str], dict[str, int], dict[str, int]]] = {
    "a folder far away": ({"f/cat/more": "far/cat"}, {"cat": 15, "dog": 5}, {}),
    "deeper, in both classes": ({"f/cat/a/more": "far/cat", "f/dog/more": "far/cat"}, {"cat": 15, "dog": 15}, {}),
    "a link behind a link": ({"f/cat/more": "far", "far/more": "further"}, {"cat": 18, "dog": 5}, {}),
    "itself": ({"f/cat/more": "f/cat"}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "the data set": ({"f/cat/more": "f"}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "above the data set": ({"f/cat/more": "."}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "the data set, as a class": ({"f/all": "f"}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "back by two links": (
        {"f/cat/more": "far/cat", "far/cat/back": "f/cat"},
        {"cat": 15, "dog": 5},
        {"through a link to a folder around it": 1},
    ),
    "in a ring of three": (
        {"f/cat/more": "far/cat", "far/cat/on": "further", "further/back": "far"},
        {"cat": 18, "dog": 5},
        {"through a link to a folder around it": 1},
    ),
    "twice": (
        {"f/cat/a": "far/cat", "f/cat/b": "far/cat"},
        {"cat": 15, "dog": 5},
        {"through a second link to a folder that is read": 1},
    ),
    "what the class holds anyway": (
        {"f/cat/a": "f/cat/z"},
        {"cat": 7, "dog": 5},
        {"through a second link to a folder that is read": 1},
    ),
    "what holds what is read already": ({"f/cat/a": "far/cat", "f/cat/b": "far"}, {"cat": 15, "dog": 5}, {}),
    "a class": ({"f/emu": "far/cat"}, {"cat": 5, "dog": 5, "emu": 10}, {}),
}


@pytest.mark.parametrize("links", LINKS)
def test_links_to_folders_are_followed_once_and_never_upwards(
    links: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    made, counts, why = LINKS[links]
    fill(tmp_path, many("far/cat", 10) + many("further", 3) + classes("f", 5, ("cat", "dog")))
    if links.startswith("what the class"):
        fill(tmp_path, many("f/cat/z", 2))
    for link, target in made.items():
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / target, target_is_directory=True)
    document = listed(tmp_path / "f")
    assert document["parts"] == {"train": counts}
    assert left_out(document) == why


def test_a_folder_that_is_only_a_link_to_itself_ends(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "f").symlink_to(tmp_path / "f")
    assert "There is no image in" in refused(tmp_path / "f")


def test_a_folder_with_a_link_to_it_keeps_its_own_path(tmp_path: Path) -> None:
    """It had that path, and the data that hash, before links were followed."""
    root = fill(tmp_path / "f", classes("", 5) + many("sea/z", 2))
    (root / "sea" / "a").symlink_to(root / "sea" / "z")
    files = list_folder(root).train.files
    assert [str(path.relative_to(root)) for path in files[5:7]] == ["sea/z/0.png", "sea/z/1.png"]
