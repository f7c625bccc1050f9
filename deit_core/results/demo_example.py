"""One test image with what a teacher, a ViT and a DeiT make of it, for the picture of the three models."""

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.probabilities import softmax
from deit_core.attention import Viewer
from deit_core.data import Source
from deit_core.data.sources.decoding import fit_image
from deit_core.data.sources.source import source_picture
from deit_core.layout import RunFiles
from deit_core.run_files.prediction_file import read_predictions
from deit_core.runs.demo_runs import DemoAnswer, DemoExample


def make_example(source: Source, teacher: RunFiles, vit: RunFiles, deit: RunFiles) -> DemoExample:
    """Of the first test image on which only the ViT is wrong; of the first of all where there is none."""
    kept = [read_predictions(files.predictions) for files in (teacher, vit, deit)]
    labels = source.test_labels
    by_teacher, by_vit, by_deit = (one.test.logits.argmax(1) == labels for one in kept)
    position = int((by_teacher & by_deit & ~by_vit).argmax())

    def answer(logits: NDArray[np.float32]) -> DemoAnswer:
        chances = softmax(logits[position][None])[0]
        label = int(chances.argmax())
        return DemoAnswer(source.classes[label], float(chances[label]), bool(label == labels[position]))

    students = kept[2].test
    assert students.logits_class is not None
    assert students.logits_distillation is not None
    viewer = Viewer.load(deit.best)
    card = viewer.card
    pixels = fit_image(
        source_picture(source, position), img_size=card.img_size, in_chans=card.in_chans, version=card.pixel_version
    )
    look = viewer.look(pixels[None])
    maps = {head: look.prepare().map(query=head).values.tolist() for head in ("class", "distillation")}
    return DemoExample(
        pixels=pixels.mean(axis=0).round().astype(int).tolist(),
        truth=source.classes[labels[position]],
        teacher=answer(kept[0].test.logits),
        vit=answer(kept[1].test.logits),
        class_head=answer(students.logits_class),
        distillation_head=answer(students.logits_distillation),
        class_map=maps["class"],
        distillation_map=maps["distillation"],
    )
