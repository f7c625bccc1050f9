"""What a person looks at before training is what a run would see."""

from pathlib import Path

import numpy as np
import pytest

from deit_core.data import Source, load_data, load_source
from deit_core.data.augment.mixup import draw_mixes
from deit_core.data.preview import class_counts, class_images, mosaic, sample_views
from deit_core.errors import SpecError
from deit_core.spec import AugmentSpec, DataSpec

SPEC = DataSpec(source="digits", img_size=16, val_fraction=0.2)


@pytest.fixture(scope="module")
def digits() -> Source:
    return load_source("digits", Path("unused"))


def test_counts_are_those_of_a_run(digits: Source) -> None:
    data = load_data(SPEC, Path("unused"))
    counts = class_counts(digits, SPEC)
    for name, split in (("train", data.train), ("validation", data.val), ("test", data.test)):
        assert counts[name].tolist() == np.bincount(split.labels.numpy(), minlength=10).tolist()


def test_a_fraction_too_small_to_cut_is_a_sentence(digits: Source) -> None:
    with pytest.raises(SpecError, match=r"make data\.fraction larger"):
        class_counts(digits, SPEC.with_changes(fraction=0.01))


def test_images_are_those_that_a_run_trains_on(digits: Source) -> None:
    data = load_data(SPEC, Path("unused"))
    expected = data.train.images[data.train.labels == 3].numpy()
    assert np.array_equal(class_images(digits, SPEC, 3, 5, 4), expected[5:9])


def test_images_begin_again_after_the_last(digits: Source) -> None:
    total = int(class_counts(digits, SPEC)["train"][3])
    assert np.array_equal(class_images(digits, SPEC, 3, total - 1, 2)[1], class_images(digits, SPEC, 3, 0, 1)[0])


def test_views_without_augmentation_are_the_image(digits: Source) -> None:
    (image,) = class_images(digits, SPEC, 3, 0, 1)
    views = sample_views(image, AugmentSpec(crop_padding=0), seed=0, count=5)
    assert views.shape == (5, 1, 16, 16)
    assert (views == image).all()


def test_views_are_shifts_of_the_image_and_their_mirror_images(digits: Source) -> None:
    (image,) = class_images(digits, SPEC, 3, 0, 1)
    views = sample_views(image, AugmentSpec(crop_padding=1, horizontal_flip=True), seed=0, count=200)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    crops = [padded[:, down : down + 16, across : across + 16] for down in range(3) for across in range(3)]
    possible = {crop.tobytes() for crop in crops} | {crop[:, :, ::-1].tobytes() for crop in crops}
    assert {view.tobytes() for view in views} == possible


def test_the_seed_decides_the_views(digits: Source) -> None:
    (image,) = class_images(digits, SPEC, 3, 0, 1)
    first, again, other = (sample_views(image, AugmentSpec(crop_padding=3), seed, 8) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_views_are_made_by_the_whole_recipe(digits: Source) -> None:
    (image,), (other,) = class_images(digits, SPEC, 3, 0, 1), class_images(digits, SPEC, 4, 0, 1)

    def views(**fields: float) -> list[bytes]:
        return [view.tobytes() for view in sample_views(image, AugmentSpec(crop_padding=0, **fields), 0, 6, other)]

    plain = views()
    for fields in (
        {"randaugment_ops": 2},
        {"color_jitter": 0.5},
        {"random_erasing": 1.0},
        {"mixup_alpha": 0.8},
        {"cutmix_alpha": 1.0},
    ):
        made = views(**fields)
        assert len(set(made)) > 2
        assert made != plain


def test_a_preview_mixes_by_the_shares_of_a_run(digits: Source) -> None:
    (image,), (other,) = class_images(digits, SPEC, 3, 0, 1), class_images(digits, SPEC, 4, 0, 1)
    augment = AugmentSpec(crop_padding=0, mixup_alpha=0.8)
    draws = draw_mixes(6, 16, augment, seed=0, epoch=0)
    for view, draw in zip(sample_views(image, augment, 0, 6, other), draws, strict=True):
        assert draw is not None
        expected = draw.share * image + (1 - draw.share) * other
        assert np.abs(view - expected).max() <= 0.51


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mosaic_enlarges_in_whole_steps_and_parts_with_transparent_gaps(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, channels, 8, 8), dtype=np.uint8)
    picture = mosaic(images, 35)
    assert picture.shape == (32, 3 * 32 + 2 * 4, 4)
    assert (picture[:, 32:36, 3] == 0).all()
    second = picture[:, 36:68]
    assert (second[..., 3] == 255).all()
    expected = np.broadcast_to(images[1].transpose(1, 2, 0), (8, 8, 3))
    assert np.array_equal(second[::4, ::4, :3], expected)
    assert np.array_equal(second[3::4, 3::4, :3], expected)


def test_a_mosaic_of_large_images_keeps_their_pixels() -> None:
    assert mosaic(np.zeros((1, 1, 100, 100), np.uint8), 64).shape == (100, 100, 4)
