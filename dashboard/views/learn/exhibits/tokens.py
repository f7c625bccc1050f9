"""Lesson 1: a picture cut into patches, what the patches cost, and what a model has learned of their positions."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, from_newest, has_learned
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint
from dashboard.pictures.run_models import best_file, has_weights
from dashboard.run_status import family
from dashboard.state import runs
from dashboard.views.learn.exhibits.figures import chart, enlarged, line
from deit_core.image_folders.facts import title_of
from deit_core.lessons.patches import cut, put_together, shuffled
from deit_core.lessons.token_costs import Cost, costs, exponent
from deit_core.runs import Run
from deit_core.runs.demo_runs import demo_example

_IMG_SIZE, _WIDTH = 32, 48  # px, and the width of a token, of the counted costs
_MEASURED = (64, 128, 256, 512, 1024)  # tokens
_SHOWN = 160  # px, of a picture
_GAP = 12  # px between the patches of a picture that is cut


def draw() -> Answer | None:
    _cut_a_picture()
    answer = _count()
    _measure()
    _show_positions()
    return answer


def _cut_a_picture() -> None:
    example = demo_example()
    if example is None:
        return
    pixels = np.array(example.pixels, np.uint8)[None, None]
    divisors = [size for size in (14, 10, 7, 5, 4, 2, 1) if pixels.shape[-1] % size == 0]
    size, order = st.columns(2)
    patch_size = size.select_slider("Patch size (px)", divisors, value=divisors[len(divisors) // 2], key="learn_patch")
    seed = order.number_input("Order of the patches", 1, 99, 1, key="learn_order", help="Each number is another order.")
    mixed = shuffled(pixels, patch_size, int(seed))
    back = put_together(cut(pixels, patch_size))
    count = (pixels.shape[-1] // patch_size) ** 2
    with st.container(horizontal=True):
        for title, picture in (
            ("The picture", enlarged(pixels[0, 0], _SHOWN)),
            (f"{count} patches, which become {count} tokens", _spread(pixels, patch_size)),
            ("In another order: for a model without positions, the same", enlarged(mixed[0, 0], _SHOWN)),
            ("Put together again", enlarged(back[0, 0], _SHOWN)),
        ):
            st.image(picture, caption=title, width=_SHOWN)


def _spread(pixels: NDArray[np.uint8], patch_size: int) -> NDArray[np.uint8]:
    """The patches with gaps between them."""
    patches = cut(pixels, patch_size)[0, :, 0]
    side = round(len(patches) ** 0.5)
    scale = 8
    step = patch_size * scale + _GAP
    canvas = np.full((side * step - _GAP,) * 2, 128, np.uint8)
    for number, patch in enumerate(patches):
        row, column = number // side * step, number % side * step
        big = patch.repeat(scale, 0).repeat(scale, 1)
        canvas[row : row + len(big), column : column + len(big)] = big
    return canvas


def _count() -> Answer:
    counted = costs(_IMG_SIZE, _WIDTH)
    tokens = [one.tokens for one in counted]
    slope = exponent(tokens, [one.attention for one in counted])
    figure = chart(
        [
            line("compare and mix tokens", tokens, [one.attention for one in counted], role="ViT"),
            line("work on each token by itself", tokens, [one.rest for one in counted]),
        ],
        x=f"Tokens of an image of {_IMG_SIZE} px",
        y="Operations of one block",
        log="xy",
    )
    smallest = counted[-1]
    alt = (
        f"Operations against tokens, counted: attention follows the power {slope:.2f} of the number of tokens. With "
        f"{smallest.tokens:,} tokens it needs {smallest.attention:.2g} operations, the rest {smallest.rest:.2g}."
    )
    live_chart(figure, key="learn_cost", title="Operations by tokens", alt=alt, height=320)
    return _answer(counted, slope)


def _answer(counted: list[Cost], slope: float) -> Answer:
    by_size = {one.patch_size: one for one in counted}
    large, small = by_size[4], by_size[2]
    grows = small.attention / large.attention
    options = (2, 4, 16)
    right = min(range(len(options)), key=lambda index: abs(np.log(options[index] / grows)))
    sentence = (
        f"Patches of 2 px in place of 4 give {small.tokens} tokens in place of {large.tokens}, with the class token. "
        f"To compare them takes {grows:.1f} times as many operations: the number of operations grows with the power "
        f"{slope:.2f} of the number of tokens."
    )
    return Answer(right, sentence, f"Counted for an image of {_IMG_SIZE} px and tokens of width {_WIDTH}.")


def _measure() -> None:
    from deit_core.lessons.timing import measured_seconds

    st.markdown("**Measured on this machine**")
    if st.button("Measure attention", key="learn_measure", help="Takes a few seconds."):
        measured = {}
        place = st.progress(0.0, "Measuring…")
        for number, (count, seconds) in enumerate(measured_seconds(_MEASURED), start=1):
            measured[count] = seconds
            place.progress(number / len(_MEASURED), f"{count:,} tokens: {1000 * seconds:.1f} ms")
        place.empty()
        st.session_state["learn_measured"] = measured
    kept: dict[int, float] = st.session_state.get("learn_measured", {})
    if not kept:
        st.caption(f"The time of attention between {_MEASURED[0]} to {_MEASURED[-1]:,} tokens: a few seconds of work.")
        return
    counts, milliseconds = list(kept), [1000 * seconds for seconds in kept.values()]
    slope = exponent(counts[-3:], milliseconds[-3:])
    figure = chart([line("this machine", counts, milliseconds, role="ViT")], x="Tokens", y="Milliseconds", log="xy")
    alt = f"From {counts[-3]} to {counts[-1]:,} tokens the time follows the power {slope:.2f} of their number."
    live_chart(figure, key="learn_seconds", title="Seconds by tokens", alt=alt, height=280)
    st.caption(f"{alt} With few tokens other work takes most of the time, so the line is flatter there.")


def _show_positions() -> None:
    from deit_core.lessons.position_likeness import position_similarity

    models = _models_with_positions()
    if not models:
        return
    st.markdown("**What a model has learned of positions**")
    title = st.segmented_control("Images", list(models), default=next(iter(models)), required=True, key="learn_source")
    run = models[title or next(iter(models))]
    similarity = position_similarity(images.viewer(Checkpoint.at(best_file(run))))
    rows, columns = similarity.shape[:2]
    mosaic = np.full((rows * (rows + 1) - 1, columns * (columns + 1) - 1), np.nan, np.float32)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (rows + 1), column * (columns + 1)
            mosaic[top : top + rows, left : left + columns] = similarity[row, column]
    figure = {
        "data": [
            {
                "type": "heatmap",
                "z": mosaic[::-1].tolist(),
                "colorscale": "Viridis",
                "zmin": -1,
                "zmax": 1,
                "colorbar": {"title": {"text": "cosine"}},
                "hovertemplate": "cosine %{z:.2f}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"visible": False, "constrain": "domain"},
            "yaxis": {"visible": False, "scaleanchor": "x"},
        },
    }
    near, far = neighbours_and_others(similarity)
    alt = (
        f"One small map for each patch, at its place: the cosine of its position with those of all patches. Neighbours "
        f"have {near:.2f} on average, all others {far:.2f}."
    )
    live_chart(figure, key="learn_positions", title="Similarity of positions", alt=alt, height=380)
    st.caption(
        f"{alt} Neighbours become alike if things stand at the same place in every image. If a digit may stand "
        f"anywhere, neighbours can stay different. {from_newest(run, source=run.spec.data.source)}"
    )


def _models_with_positions() -> dict[str, Run]:
    """The newest ViT of each data set that has learned, those first in which things have their place."""
    newest_first = [
        run
        for run in runs()
        if family(run) == "ViT"
        and has_learned(run)
        and run.spec.model.family == "vit"
        and run.spec.model.positions == "learned"
        and has_weights(run)
    ]
    newest_first.sort(key=lambda run: run.spec.data.source == "scattered-digits")
    found: dict[str, Run] = {}
    for run in newest_first:
        found.setdefault(title_of(run.spec.data), run)
    return found


def neighbours_and_others(similarity: NDArray[np.float32]) -> tuple[float, float]:
    """The mean cosine of patches side by side, and of all other pairs; `similarity` is (gh, gw, gh, gw)."""
    rows, columns = similarity.shape[:2]
    places = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2)
    distance = np.abs(places[:, None] - places[None]).sum(-1)
    cosines = similarity.reshape(len(places), len(places))
    return float(cosines[distance == 1].mean()), float(cosines[distance > 1].mean())
