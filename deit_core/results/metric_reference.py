"""The reference of all metrics, as `docs/metrics.md` has it: python -m deit_core.results.metric_reference

Knows only the table of metrics, and Markdown.
"""

from deit_core.metrics import METRICS, TOKEN_COSINES
from deit_core.results.markdown import Markup, table

_INTRODUCTION = """
Each metric is defined once, in `deit_core/metrics.py`; charts, tables and this page are made from there. A run has them
by these names in `show --json`, in *Points as CSV* and in its model card. A share is in [0, 1], a loss in nats. For a
DeiT, the answer of *the model* is the mean of both heads' logits. The cosine of the tokens is measured after every
block; the table shows the first.
"""


def metric_reference() -> str:
    """The whole page."""
    named = (one for one in METRICS.values() if one not in list(TOKEN_COSINES.values())[2:])
    cells = ((f"`{one.name}`", one.title, one.unit, one.better, one.help) for one in named)
    rows = [list(map(Markup, row)) for row in cells]
    parts = ["# All metrics", _INTRODUCTION.strip(), table(("Metric", "Title", "Unit", "Better", "What it is"), rows)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(metric_reference(), end="")
