"""A chart of times over sizes, both logarithmic, a panel for each kind of size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dashboard.curves.charts import COLOURS

_COLUMNS = 4


class Series(NamedTuple):
    """`seconds` by size."""

    axis: str
    name: str
    seconds: Mapping[int, float]


def draw(series: Sequence[Series], file: Path) -> None:
    """Write the chart as SVG, the same bytes for the same numbers."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 8, "font.family": "sans-serif"}
    from matplotlib import pyplot

    axes = list(dict.fromkeys(one.axis for one in series))
    rows = -(-len(axes) // _COLUMNS)
    figure, panels = pyplot.subplots(rows, _COLUMNS, figsize=(3 * _COLUMNS, 2.6 * rows), layout="constrained")
    for panel, axis in zip(panels.flat, axes, strict=False):
        drawn = [one for one in series if one.axis == axis and one.seconds]
        for one, colour in zip(drawn, COLOURS, strict=False):
            label = one.name.replace("_", " ")
            panel.loglog(list(one.seconds), list(one.seconds.values()), color=colour, marker="o", ms=3, label=label)
        sizes = sorted({size for one in drawn for size in one.seconds})
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.minorticks_off()
        panel.set(xlabel=axis, ylabel="seconds")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=6.5, frameon=False)
    for panel in panels.flat[len(axes) :]:
        panel.axis("off")
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
