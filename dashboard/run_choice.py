"""How a run is called in boxes where people choose one: number, name and accuracy, short enough to be read whole.

Knows runs; no widgets.
"""

from deit_core.metrics import BEST_VAL_ACCURACY, TEST_ACCURACY
from deit_core.results.report import SEARCH_TAG
from deit_core.runs import Run
from deit_core.runs.condition import label
from deit_core.text.quoting import shortened

_NAME = 28  # characters


def choice_label(run: Run) -> str:
    """With the accuracy on test images, of a search on validation images; without one, where it is not known yet."""
    score = BEST_VAL_ACCURACY if SEARCH_TAG in run.spec.tags else TEST_ACCURACY
    name = shortened(label(run), _NAME)
    return f"{name} · {run.results[score]:.1%}" if score in run.results else name
