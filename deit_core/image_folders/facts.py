"""The facts on a spec's data that a form needs: from the table, or for a folder from the names of its files.

Loads nothing and reads no pixels.
"""

from pathlib import Path

from deit_core.catalog import SOURCES, SourceFacts
from deit_core.image_folders import ImageFolder, find_folder, list_folder
from deit_core.spec import DataSpec


def facts_of(data: DataSpec, data_dir: Path) -> SourceFacts:
    """The facts of a data set, or of the folder at `data.path`.

    Raises: DataError where a folder cannot be used as a data set.
    """
    if (known := data.facts) is not None:
        return known
    root = find_folder(data.path, data_dir)
    return folder_facts(data, root, list_folder(root))


def folder_facts(data: DataSpec, root: Path, listed: ImageFolder) -> SourceFacts:
    """The facts of the folder `root`, from its listing."""
    return SourceFacts(
        title=title_of(data),
        classes=listed.classes,
        in_chans=3 if data.colour else 1,
        native_size=None,
        num_train=listed.num_train,
        num_test=listed.num_test,
        flips_keep_class=True,
        origin=f"The folder {root}",
    )


def title_of(data: DataSpec) -> str:
    """The name of the data on a page; reads no file."""
    return f"folder {Path(data.path).name}" if data.source == "folder" else SOURCES[data.source].title
