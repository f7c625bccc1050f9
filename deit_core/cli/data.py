"""Commands on data: download a data set, list a folder or a zip of images, import a zip."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from deit_core.catalog import SOURCES
from deit_core.cli.options import DataDirOption, JsonOption, print_json
from deit_core.cli.terminal import print_listing, print_reading, say
from deit_core.errors import DataError
from deit_core.image_folders import ImageFolder, find_folder, list_folder, unreadable
from deit_core.image_folders.archives import import_zip, list_zip, open_zip
from deit_core.settings import Settings
from deit_core.text.quoting import quoted


def describe_data(
    source: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER|ZIP",
            help=f"One of {', '.join(SOURCES)}, which is downloaded; or the path of a folder or a zip of images.",
        ),
    ],
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Show what a run would read: images by part and class, files that are left out, and warnings."""
    home = Settings.from_env(data_dir=data_dir).data_dir
    if source in SOURCES:
        _describe_source(source, home, as_json=as_json)
        return
    listed, content_notes = _look_into(source, home if home.is_dir() else None, as_json=as_json)
    warnings = [*listed.warnings, *content_notes]
    if as_json:
        left_out = [asdict(one) for one in listed.left_out]
        print_json({"parts": listed.counts(), "left_out": left_out, "warnings": warnings})
    else:
        print_listing(listed.counts(), listed.left_out, warnings)


def import_images(
    archive: Annotated[
        Path, typer.Argument(help="A zip with one folder per class, or folders train, val and test with these.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the folder (default: the zip's name).")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Unpack a zip of images into the data folder, after checking it, and print how to train on it."""
    if not archive.is_file():
        raise DataError(f"There is no file {archive}; give the path of a zip.")
    root = Settings.from_env(data_dir=data_dir).data_dir
    listed = list_zip(archive)
    path = import_zip(archive, name or archive.stem, root)
    sentences = (
        f"{listed.num_train} images for training and {listed.num_test} for testing, {len(listed.classes)} classes.",
        *listed.notes,
        f"Train on it with --set data.source=folder --set data.path='{path}'",
    )
    say(" ".join(sentences))


def _look_into(name: str, home: Path | None, *, as_json: bool) -> tuple[ImageFolder, tuple[str, ...]]:
    """The listing of a folder or a zip, and warnings on its content."""
    from deit_core.data.sources.contents import content_warnings
    from deit_core.data.sources.progress import no_progress

    path, on_progress = find_folder(name, Path()), no_progress if as_json else print_reading
    try:
        if path.is_dir():
            listed = list_folder(path)
            return listed, content_warnings(listed, on_progress, data_dir=home)
        if path.is_file():
            with open_zip(path) as (listed, files):
                return listed, content_warnings(listed, on_progress, access=files)
    except OSError as error:
        raise unreadable(path, error) from None
    raise DataError(
        f"There is no data set, folder or zip with the name {quoted(name)}; choose {', '.join(SOURCES)}, or give a "
        "path."
    )


def _describe_source(name: Any, data_dir: Path, *, as_json: bool) -> None:
    from deit_core.data import load_source

    loaded = load_source(name, data_dir)
    if as_json:
        parts = {"train": loaded.train_labels, "test": loaded.test_labels}
        counts = {
            part: {title: int((labels == label).sum()) for label, title in enumerate(loaded.classes)}
            for part, labels in parts.items()
        }
        print_json({"parts": counts, "left_out": [], "warnings": []})
        return
    _, _, height, width = loaded.train_images[:1].shape
    print(
        f"{SOURCES[loaded.name].title}: {len(loaded.train_labels)} training and {len(loaded.test_labels)} test images "
        f"of {height}x{width} pixels, {len(loaded.classes)} classes, "
        f"SHA-256 {loaded.content_hash[:16]}"
    )
