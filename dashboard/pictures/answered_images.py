"""The test images that runs answered for, if they can be shown here. Knows data sets; no widgets and no runs."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dashboard.state import test_source
from deit_core.errors import DataError
from deit_core.spec import DataSpec

if TYPE_CHECKING:
    from deit_core.data import Source


def images_answered(data: DataSpec, labels: NDArray[np.int64]) -> "tuple[Source | None, str]":
    """A source whose test images have these labels, or the first of them; and a sentence on what is missing. Loads
    torch.
    """
    try:
        source = test_source(data)
    except DataError as error:  # a folder that was removed, say
        return None, f"The images cannot be shown. {error}"
    if source is None:
        return None, "The images are not on this machine; get them on the Data page."
    num_here = len(source.test_labels)
    ships_with_demo = not len(source.train_labels)
    if not np.array_equal(source.test_labels, labels[:num_here] if ships_with_demo else labels):
        return None, "The images are not shown: this machine has other images than the models were asked about."
    if num_here < len(labels):
        few = f"Only the first {num_here} test images are on this machine; get all of them on the Data page."
        return source, few
    return source, ""
