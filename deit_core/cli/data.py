"""Commands that bring data: a published set, or a zip of images that becomes a folder."""

from pathlib import Path
from typing import Annotated

import typer

from deit_core.archives import import_zip
from deit_core.catalog import SOURCES
from deit_core.cli.options import DataDirOption
from deit_core.errors import DataError, SpecError
from deit_core.folders import find_folder, list_folder
from deit_core.settings import Settings


def fetch_data(
    source: Annotated[str, typer.Argument(help=f"One of {', '.join(SOURCES)}.")], data_dir: DataDirOption = None
) -> None:
    """Fetch a data set if it is not on this machine, and say what is in it."""
    from deit_core.data import load_source

    if source not in SOURCES:
        raise SpecError(f"There is no data set {source!r}; choose {' or '.join(SOURCES)}.")
    loaded = load_source(source, Settings.from_env(data_dir=data_dir).data_dir)
    _, _, height, width = loaded.train_images[:1].shape
    print(
        f"{SOURCES[loaded.name].title}: {len(loaded.train_labels)} training and {len(loaded.test_labels)} test images "
        f"of {height}x{width} pixels, {len(loaded.classes)} classes, "
        f"SHA-256 {loaded.content_hash[:16]}"
    )


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
