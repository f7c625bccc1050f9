"""Lesson 7: maps scored against where the digit really is, beside two baselines."""

from collections.abc import Sequence

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

_NUM_IMAGES = 200
_MOST_MODELS = 5
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
    found = [one for run in models if (one := _scores(Checkpoint.at(best_file(run)), run))]
    return {name: Sample(tuple(one[name][0] for one in found)) for name in (found[0] if found else ())}


@st.cache_data(max_entries=24, show_spinner="Scoring the maps…")
def _scores(checkpoint: Checkpoint, _run: Run) -> dict[str, tuple[float, float]]:
    from deit_core.lessons.localisation import scores

    loaded = test_source(_run.spec.data)
    if loaded is None or loaded.test_masks is None:
        return {}
    pictures = np.asarray(loaded.test_images[:_NUM_IMAGES])
    found = scores(images.viewer(checkpoint), pictures, loaded.test_masks[:_NUM_IMAGES])
    return {name: (one.times_chance, one.pointing) for name, one in found.items()}


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
    pointing = _scores(Checkpoint.at(best_file(models[0])), models[0])
    told = ", ".join(f"{name} {hit:.0%}" for name, (_, hit) in pointing.items())
    st.caption(
        f"{alt}{intervals} {len(models)} model{'s' if len(models) > 1 else ''}, {_NUM_IMAGES} test images each. The "
        f"highest value lies on the digit (first model): {told}. {from_runs(models)}"
    )
