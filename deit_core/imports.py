"""The command `import`: a zip of images becomes a folder that a run can learn from."""

from pathlib import Path
from typing import Annotated

import typer

from deit_core.archives import import_zip
from deit_core.errors import DataError
from deit_core.folders import find_folder, list_folder
from deit_core.settings import Settings


def import_images(
    archive: Annotated[Path, typer.Argument(help="A zip with a folder a class, or train, val and test with such.")],
    name: Annotated[str | None, typer.Option(help="What to call the folder (default: the zip's name).")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where it goes (default: DEIT_DATA_DIR, or data).")] = None,
) -> None:
    """Unpack a zip of images into the data folder, after checking it, and print how to train on it."""
    if not archive.is_file():
        raise DataError(f"There is no file {archive}; give the path of a zip.")
    root = Settings.from_env(data_dir=data_dir).data_dir
    path = import_zip(archive, name or archive.stem, root)
    listed = list_folder(find_folder(path, root))
    print(
        f"{listed.num_train} images for training and {listed.num_test} for the test, {len(listed.classes)} classes. "
        f"Train on it with --set data.source=folder --set data.path='{path}'"
    )
