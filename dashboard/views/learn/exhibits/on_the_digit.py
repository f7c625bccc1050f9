"""Lesson 7: maps scored against where the digit really is, beside two baselines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, from_runs, most_seeds
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint
from dashboard.pictures.run_models import best_file, has_weights
from dashboard.run_status import family
from dashboard.state import runs, test_source
from dashboard.views.learn.exhibits.figures import CONTROL, chart
from deit_core.analysis.seeds import MIN_FOR_INTERVAL, Sample
from deit_core.lessons.baselines import BRIGHTNESS, UNTRAINED
from deit_core.results.role_looks import look_of
from deit_core.runs import Run, Status

if TYPE_CHECKING:
    from deit_core.lessons.localisation import Score

_NUM_IMAGES = 200
_MOST_MODELS = 5
_CLUTTER = 4  # fragments on each image, where the model learned without
_OPTIONS = ("Attention rollout", "Attention relevance", BRIGHTNESS, UNTRAINED)  # of the guess, in its order


def draw() -> Answer | None:
    kinds = {
        "ViT, digits alone": ("ViT", False),
        "DeiT, digits alone": ("DeiT", False),
        "ViT, with clutter": ("ViT", True),
        "DeiT, with clutter": ("DeiT", True),
    }
    shown = {title: found for title, kind in kinds.items() if (found := _models(*kind))}
    if not shown:
        return None
    title = st.segmented_control("Models", list(shown), default=next(iter(shown)), required=True, key="learn_models")
    models = shown[title or next(iter(shown))]
    samples = _samples(models)
    if not samples:
        return None
    _draw(samples, models)
    _play(models[0])
    means = {name: sample.mean for name, sample in samples.items()}
    right = max(range(len(_OPTIONS)), key=lambda index: means[_OPTIONS[index]])
    told = ", ".join(f"{name} {mean:.1f}" for name, mean in means.items())
    return Answer(right, f"Weight on the digit, in multiples of chance: {told}.", from_runs(models))


def _models(kind: str, has_clutter: bool) -> list[Run]:
    """Completed runs on scattered digits, alike in all but the seed."""
    shown = [
        run
        for run in runs()
        if family(run) == kind
        and run.status == Status.COMPLETED
        and run.spec.data.source == "scattered-digits"
        and (run.spec.data.clutter > 0) == has_clutter
        and run.spec.data.fraction == 1
        and has_weights(run)
    ]
    return most_seeds(shown)[:_MOST_MODELS]


def _samples(models: Sequence[Run]) -> dict[str, Sample]:
    found = [one.scores for run in models if (one := _tested(run, run.spec.data.clutter))]
    return {name: Sample(tuple(one[name].times_chance for one in found)) for name in (found[0] if found else ())}


class _Tested(NamedTuple):
    """The scores of the maps by name, and the accuracy of the model on the same images."""

    scores: "dict[str, Score]"
    accuracy: float


def _tested(run: Run, clutter: int) -> _Tested | None:
    """Args: clutter: the fragments on each test image. None where the images are not on this machine."""
    return _scored(Checkpoint.at(best_file(run)), clutter, run)


@st.cache_data(max_entries=24, show_spinner="Scoring the maps…")
def _scored(checkpoint: Checkpoint, clutter: int, _run: Run) -> _Tested | None:
    from deit_core.lessons.accuracy import accuracy, fitted
    from deit_core.lessons.localisation import scores

    loaded = test_source(_run.spec.data.with_changes(clutter=clutter))
    if loaded is None or loaded.test_masks is None:
        return None
    viewer = images.viewer(checkpoint)
    pictures = np.asarray(loaded.test_images[:_NUM_IMAGES])
    found = scores(viewer, pictures, loaded.test_masks[:_NUM_IMAGES])
    return _Tested(found, accuracy(viewer, fitted(viewer, pictures), loaded.test_labels[:_NUM_IMAGES]))


def _draw(samples: dict[str, Sample], models: Sequence[Run]) -> None:
    names, means = list(samples), [sample.mean for sample in samples.values()]
    look = look_of(family(models[0]))
    bars = {
        "type": "bar",
        "uid": "scores",
        "orientation": "h",
        "name": "weight on the digit",
        "x": means,
        "y": names,
        "marker": {"color": [CONTROL if name in (BRIGHTNESS, UNTRAINED) else look.colour for name in names]},
        "error_x": {
            "type": "data",
            "visible": len(models) >= MIN_FOR_INTERVAL,
            "array": [sample.interval[1] - sample.mean if sample.interval else 0 for sample in samples.values()],
        },
        "hovertemplate": "%{x:.2f} times chance",
    }
    figure = chart([bars], x="Weight on the digit (1 is chance)", y="")
    figure["layout"]["yaxis"] = {"type": "category", "autorange": "reversed", "automargin": True}
    figure["layout"]["showlegend"] = False
    best = max(samples, key=lambda name: samples[name].mean)
    intervals = " Lines are 95 % intervals." if all(sample.interval for sample in samples.values()) else ""
    alt = f"{best} has the most weight on the digit, {samples[best].mean:.1f} times chance."
    live_chart(figure, key="learn_scores", title="Maps against the digit", alt=alt, height=320)
    st.caption(f"{alt}{intervals} {len(models)} model{'s' if len(models) > 1 else ''}, {_NUM_IMAGES} test images each.")


def _play(run: Run) -> None:
    """The pointing game on digits alone, and on the same digits among fragments of others."""
    clutter = run.spec.data.clutter or _CLUTTER
    alone, among = _tested(run, 0), _tested(run, clutter)
    if alone is None or among is None:
        return
    st.markdown("**The pointing game: how often the highest value lies on the digit**")
    st.dataframe(
        [
            {
                "Map": name,
                "Digits alone": f"{alone.scores[name].pointing:.0%}",
                "With clutter": f"{among.scores[name].pointing:.0%}",
            }
            for name in alone.scores
        ],
        hide_index=True,
        width=560,
    )
    st.caption(
        "A digit alone is the only bright thing, so nearly every map points at it and the game shows no difference "
        f"between the maps. With clutter, {clutter} fragments of other digits lie around each digit. The model names "
        f"{alone.accuracy:.0%} of the digits alone and {among.accuracy:.0%} of those with clutter."
    )
