"""Whether the test images that runs answered for can be shown here. Knows data sets; no widgets and no runs."""

import numpy as np
from numpy.typing import NDArray

from dashboard.state import settings, source
from deit_core.errors import DataError
from deit_core.spec import DataSpec


def why_not_shown(data: DataSpec, labels: NDArray[np.int64]) -> str:
    """A sentence on why images with these labels cannot be shown; empty where they can. Loads torch."""
    from deit_core.data import is_here

    if data.source != "folder" and not is_here(data.source, settings().data_dir):
        return "The images are not on this machine; get them on the Data page."
    try:
        here = source(data).test_labels
    except DataError as error:  # a folder that was removed, say
        return f"The images cannot be shown. {error}"
    if not np.array_equal(here, labels):
        return "The images are not shown: those on this machine are not the ones that were answered for."
    return ""
