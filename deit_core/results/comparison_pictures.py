"""Test images that only the second of two runs is right on, as pictures for a file. Loads torch with the data."""

from pathlib import Path

import numpy as np

from deit_core.analysis import who_is_right
from deit_core.data import is_here, open_source
from deit_core.data.sources.source import source_picture
from deit_core.errors import DataError
from deit_core.results.comparison_html import NUM_PICTURES, Picture
from deit_core.results.two_runs import TwoRuns


def pictures_only_second_is_right_on(two: TwoRuns, data_dir: Path) -> list[Picture] | None:
    """The first of them; None where the images cannot be read here or are not those that were answered
    for, or are validation images."""
    data = two.first.run.spec.data
    if two.part != "test" or (data.source != "folder" and not is_here(data.source, data_dir)):
        return None
    try:
        source = open_source(data, data_dir)
    except DataError:  # a folder that was removed
        return None
    if not np.array_equal(source.test_labels, two.labels):  # a folder that was changed
        return None
    cases = who_is_right(two.labels, [two.first.decisions, two.second.decisions])
    return [
        _picture(two, source_picture(source, int(image)), int(image)) for image in cases[False, True][:NUM_PICTURES]
    ]


def _picture(two: TwoRuns, pixels: np.ndarray, image: int) -> Picture:
    truth = two.classes[two.labels[image]]
    answers = [(one.name, two.classes[one.decisions[image]]) for one in two.models]
    lines = [f"{name} {'✓' if answer == truth else '✗'} {answer}" for name, answer in answers]
    return Picture.of(pixels, f"{truth}: {', '.join(lines)}", f"Test image {image}, true class {truth}")
