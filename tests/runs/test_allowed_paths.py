"""A spec from a visitor may name what is in the data and runs folders, links followed, and a refusal does not say what
else exists.
"""

from pathlib import Path

import pytest
from image_files import write_images

from deit_core import presets
from deit_core.errors import DeitError
from deit_core.runs.allowed_paths import check_paths, seen_by_visitors
from deit_core.settings import Settings
from deit_core.spec import DataSpec, RunSpec, replace

DEIT = presets.digits_quick().runs[2]


@pytest.fixture
def places(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Paths by what they are: in the two folders, and elsewhere."""
    write_images(tmp_path / "private", 1)
    write_images(settings.data_dir / "folders" / "animals", 1)
    (settings.runs_dir / "0123abcd").mkdir(parents=True)
    (settings.data_dir / "linked").symlink_to(tmp_path / "private")
    for name in ("classes", "pictures"):
        write_images(settings.data_dir / name, 1)
    (settings.data_dir / "classes" / "wasp").symlink_to(tmp_path / "private" / "bee")
    (settings.data_dir / "pictures" / "bee" / "other.png").symlink_to(tmp_path / "private" / "bee" / "000.jpg")
    write_images(settings.data_dir / "whole", 1)
    (settings.data_dir / "whole" / "ant").symlink_to(settings.data_dir / "folders" / "animals")
    (settings.runs_dir / "4567abcd").mkdir()
    (settings.runs_dir / "4567abcd" / "best.safetensors").symlink_to(tmp_path / "private" / "bee" / "000.jpg")
    (tmp_path / "here").symlink_to(settings.data_dir / "folders")
    return {
        "imported": "folders/animals",
        "a link that stays": "whole",
        "data folder": ".",
        "absolute": str(settings.data_dir / "folders" / "animals"),
        "back again": "../data/folders/animals",
        "through a link": str(tmp_path / "here" / "animals"),
        "missing": "folders/none",
        "private": str(tmp_path / "private"),
        "above": "../private",
        "far above": "../" * 40 + "etc",
        "inside and above": "folders/../../private",
        "link that leaves": "linked/bee",
        "link in it": "classes",
        "link to a picture": "pictures",
        "home": "~",
        "user": "~root/x",
        "root": "/",
        "not there": str(tmp_path / "none"),
        "prefix": str(settings.data_dir) + "-private",
    }


INSIDE = ("imported", "absolute", "back again", "through a link", "a link that stays", "missing")
OUTSIDE = (
    *("private", "above", "far above", "inside and above", "link that leaves", "home", "user", "root", "not there"),
    *("link in it", "link to a picture", "data folder"),
)


def spec_with(field: str, path: str) -> DataSpec | RunSpec:
    match field:
        case "data":
            return DataSpec(source="folder", path=path)
        case "data.path":
            return replace(DEIT, {"data.source": "folder", "data.path": path})
        case _:
            return replace(DEIT, {"distillation.teacher": "teacher", field: path})


@pytest.mark.parametrize("field", ["data", "data.path"])
@pytest.mark.parametrize("place", [*OUTSIDE, "prefix"])
def test_images_elsewhere_are_refused_alike_whether_they_exist_or_not(
    field: str, place: str, places: dict[str, str], settings: Settings
) -> None:
    spec = spec_with(field, places[place])
    check_paths(spec, settings, others_can_reach=False)
    with pytest.raises(DeitError) as caught:
        check_paths(spec, settings, others_can_reach=True)
    assert str(caught.value) == (
        f"data.path {places[place]!r} is not in the data folder of this dashboard, or a link in it leads out. The "
        "dashboard reads nothing else for its visitors; upload the images as a zip, or choose a folder that is there."
    )


@pytest.mark.parametrize("place", INSIDE)
def test_images_in_the_data_folder_are_for_everybody(place: str, places: dict[str, str], settings: Settings) -> None:
    check_paths(spec_with("data", places[place]), settings, others_can_reach=True)


@pytest.mark.parametrize("field", ["distillation.teacher", "initial_checkpoint"])
@pytest.mark.parametrize("place", [*OUTSIDE, "prefix"])
def test_checkpoints_elsewhere_are_refused_alike(
    field: str, place: str, places: dict[str, str], settings: Settings
) -> None:
    spec = replace(DEIT, {"distillation.teacher": "0123abcd", field: places[place]})
    check_paths(spec, settings, others_can_reach=False)
    with pytest.raises(DeitError, match="is neither a run nor a file in the data or runs folder"):
        check_paths(spec, settings, others_can_reach=True)


@pytest.mark.parametrize("field", ["distillation.teacher", "initial_checkpoint"])
@pytest.mark.parametrize("name", ["0123abcd", *presets.WEIGHTS])
def test_runs_and_published_weights_are_for_everybody(
    field: str, name: str, places: dict[str, str], settings: Settings
) -> None:
    spec = replace(DEIT, {"distillation.teacher": "0123abcd", field: name})
    check_paths(spec, settings, others_can_reach=True)


@pytest.mark.parametrize("field", ["distillation.teacher", "initial_checkpoint"])
def test_a_run_whose_weights_are_a_link_elsewhere_is_not(
    field: str, places: dict[str, str], settings: Settings
) -> None:
    spec = replace(DEIT, {"distillation.teacher": "0123abcd", field: "4567abcd"})
    with pytest.raises(DeitError, match="is neither a run nor a file in the data or runs folder"):
        check_paths(spec, settings, others_can_reach=True)


def test_the_name_of_a_run_opens_no_file(places: dict[str, str], settings: Settings) -> None:
    path = places["private"]
    spec = replace(DEIT, {"name": path, "distillation.teacher": path})
    with pytest.raises(DeitError, match="is neither a run nor a file"):
        check_paths(spec, settings, others_can_reach=True)


@pytest.mark.parametrize("name", presets.WEIGHTS)
def test_a_run_that_started_from_published_weights_can_be_resumed(name: str, settings: Settings) -> None:
    spec = replace(DEIT, {"distillation.teacher": "0123abcd", "initial_checkpoint": str(Path(name).resolve())})
    (settings.runs_dir / "0123abcd").mkdir(parents=True)
    check_paths(spec, settings, others_can_reach=True)


@pytest.mark.parametrize(
    ("place", "seen"),
    [
        *(("imported", "folders/animals"), ("absolute", "folders/animals"), ("through a link", "folders/animals")),
        *(("private", "private"), ("above", "private"), ("user", "x")),
    ],
)
def test_visitors_see_where_images_are_in_the_data_folder_and_else_a_name(
    place: str, seen: str, places: dict[str, str], settings: Settings
) -> None:
    spec = replace(DEIT, {"data.source": "folder", "data.path": places[place], "initial_checkpoint": "/srv/a/b.pth"})
    plain = seen_by_visitors(spec, settings)
    assert (plain.data.path, plain.initial_checkpoint) == (seen, "b.pth")
    assert seen_by_visitors(plain, settings) == plain


@pytest.mark.parametrize("name", [name for name in presets.names() if not name.startswith(("imagenet", "tutorial"))])
def test_presets_are_for_everybody(name: str, settings: Settings) -> None:
    check_paths(presets.get(name), settings, others_can_reach=True)
