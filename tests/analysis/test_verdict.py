"""The verdict says what the numbers say: who is ahead, or how many images would tell; what is odd; what to try."""

import numpy as np
import pytest

from deit_core.analysis import Background, ClosedShare, Sample, Verdict, judge

CLASSES = ("cat", "dog", "owl")


def decisions_of(labels: np.ndarray, num_right: int, first_right: int = 0) -> np.ndarray:
    """Decisions that are right on `num_right` images in a row, and else one class further."""
    right = np.zeros(len(labels), bool)
    right[first_right : first_right + num_right] = True
    return np.where(right, labels, (labels + 1) % 3)


def verdict(
    num_images: int, vit: tuple[int, int], deit: tuple[int, int], background: Background | None = None
) -> Verdict:
    """Of two models, each right on so many images in a row from one on."""
    labels = np.arange(num_images) % 3
    return judge(labels, CLASSES, {"ViT": decisions_of(labels, *vit), "DeiT": decisions_of(labels, *deit)}, background)


def test_a_difference_that_chance_does_not_give_names_the_leader() -> None:
    """DeiT is right on 290 of 360, and ViT on 250 of these."""
    found = verdict(360, (250, 0), (290, 0))
    assert (found.leader, found.difference, found.num_seeds) == ("DeiT", pytest.approx(40 / 360), 0)
    low, high = (f"{100 * end:+.1f}" for end in found.interval)
    assert found.sentences == [
        f"DeiT is ahead of ViT by 11.1 points on 360 test images (95% interval {low} to {high}; McNemar's exact test: "
        "p < 0.0001).",
        "ViT is right on 69.4% and DeiT on 80.6% of these images; always answering 'cat' would be right on 33.3%.",
    ]
    assert found.warnings == []
    assert found.next_steps == [
        "Train each with three seeds (Number of seeds on Train): one training of each says which of these two models "
        "is better, not whether another training would give the same result."
    ]


def test_the_first_may_be_the_leader_and_its_interval_is_turned() -> None:
    found, turned = verdict(360, (290, 0), (250, 0)), verdict(360, (250, 0), (290, 0))
    assert found.leader == "ViT"
    assert found.difference == -turned.difference
    assert found.sentences[0].startswith("ViT is ahead of DeiT by 11.1 points on 360 test images (95% interval +")


def test_where_chance_may_give_it_the_images_needed_are_said() -> None:
    """14 images are right in DeiT alone, 10 in ViT alone."""
    found = verdict(360, (280, 0), (284, 10))
    assert (found.leader, found.paired.only_first, found.paired.only_second) == ("", 10, 14)
    assert found.paired.images_needed == 4237
    low, high = (f"{100 * end:+.1f}" for end in found.interval)
    assert found.sentences[0] == (
        f"There is no clear difference on 360 test images: DeiT has 1.1 points more (95% interval {low} to {high}), "
        "and it takes about 4,300 images to tell."
    )


def test_models_that_are_right_equally_often() -> None:
    found = verdict(30, (20, 0), (20, 5))
    assert found.sentences[0] == (
        "There is no clear difference on 30 test images: ViT and DeiT are right equally often."
    )


def test_several_seeds_go_before_the_images() -> None:
    """Gains of 2, 3 and 4 points: mean 3, and t(2) = 4.3027 times 1 / sqrt(3)."""
    closed = ClosedShare(0.4, (0.31, 0.52))
    found = verdict(360, (280, 0), (280, 0), Background("validation", Sample((0.02, 0.03, 0.04)), closed))
    assert (found.leader, found.num_seeds) == ("DeiT", 3)
    assert found.interval == pytest.approx((0.03 - 0.024841, 0.03 + 0.024841), abs=1e-6)
    assert found.sentences[0] == "DeiT is ahead of ViT by 3.0 points over 3 seeds (95% interval +0.5 to +5.5)."
    assert found.sentences[2] == "Share of its teacher's lead that DeiT has closed: 40% (31% to 52%)."
    assert found.next_steps == []


def test_seeds_that_do_not_agree_tell_nothing() -> None:
    found = verdict(360, (250, 0), (290, 0), Background(gains=Sample((-0.03, 0.02, -0.01)), closed=ClosedShare(-0.2)))
    assert found.leader == ""
    assert not any("Share of its teacher's lead" in sentence for sentence in found.sentences)
    assert found.sentences[0].startswith("There is no clear difference over 3 seeds: ViT has 0.7 points more (95% ")
    assert found.next_steps == ["Train with more seeds, or judge by more images."]


def test_two_seeds_have_no_interval_and_the_images_decide() -> None:
    found = verdict(360, (250, 0), (290, 0), Background(gains=Sample((0.02, 0.03))))
    assert (found.leader, found.num_seeds, found.difference) == ("DeiT", 0, pytest.approx(40 / 360))


def test_classes_that_are_never_answered_are_said_and_a_larger_size_is_tried() -> None:
    """The textiles: classes of 50, 25 and 25 %, and none ever answers the last."""
    labels = np.repeat([0, 1, 2], [200, 100, 100])
    always, mostly = np.zeros(400, int), np.where(labels == 2, 0, labels)
    mostly[-3:] = 2
    found = judge(labels, CLASSES, {"ViT": always, "DeiT": mostly}, Background(img_size=56, native_size=250))
    assert found.rare == (((1, 100, 0), (2, 100, 0)), ((2, 100, 3),))
    assert found.largest == ("cat", 0.5)
    assert found.warnings == [
        "ViT never answers 'dog' (100 images), 'owl' (100 images).",
        "DeiT hardly ever answers 'owl' (100 images).",
    ]
    assert found.next_steps[0] == (
        "The images have 250 px and the models see them at 56 px: try a larger data.img_size, such as 112."
    )
    both = judge(labels, CLASSES, {"ViT": always, "DeiT": always})
    assert "Neither is better than always answering 'cat'." in both.warnings
    assert both.next_steps[0].startswith("Train longer, or look at images of the classes that are missed")


@pytest.mark.parametrize(
    ("native_size", "num_right", "is_advised"),
    [(112, 250, False), (113, 250, True), (250, 250, True), (250, 341, True), (250, 342, False), (0, 250, False)],
    ids=["twice", "more", "much more", "nearly all right", "all right", "not known"],
)
def test_a_larger_size_is_tried_where_images_are_shrunk_a_lot_and_mistakes_are_left(
    native_size: int, num_right: int, is_advised: bool
) -> None:
    found = verdict(360, (200, 0), (num_right, 0), Background(img_size=56, native_size=native_size))
    assert found.next_steps[0].startswith(f"The images have {native_size} px") == is_advised


def test_of_a_thousand_classes_a_few_are_named() -> None:
    labels = np.arange(1000)
    classes = [f"class {number}" for number in labels]
    found = judge(labels, classes, {"ViT": labels, "DeiT": np.full(1000, 7)})
    assert found.warnings == [
        "DeiT never answers 'class 0' (1 image), 'class 1' (1 image), 'class 2' (1 image) and 996 classes more."
    ]


@pytest.mark.parametrize(
    ("closed", "step"),
    [
        (ClosedShare(None, reason="the teacher is worse", has_no_lead=True), "this one has no lead to pass on"),
        (ClosedShare(0.95), "the student has closed nearly all of this one's lead"),
    ],
)
def test_a_teacher_with_nothing_left_to_teach_is_said(closed: ClosedShare, step: str) -> None:
    found = verdict(360, (280, 0), (284, 10), Background(closed=closed))
    assert found.next_steps[-1] == f"Train a better teacher: {step}."


def test_one_image() -> None:
    found = verdict(1, (0, 0), (1, 0))
    assert found.leader == ""
    assert "on 1 test image: " in found.sentences[0]
    assert found.sentences[0].endswith("and it takes about 6 images to tell.")
