"""Views of the second pixel version: one image at a time as a whole batch at once, and near to torchvision's."""

import hashlib

import numpy as np
import pytest
import torch
from torch import Tensor

from deit_core.catalog.pixel_versions import PixelVersion
from deit_core.data import Split, TrainBatches
from deit_core.data.augment import one_image, whole_batch
from deit_core.data.augment.crop_and_flip import pad
from deit_core.data.augment.epoch_views import EpochViews
from deit_core.data.augment.operations import GEOMETRIC, Kind, operations_at
from deit_core.data.augment.rand_augment import RandAugmentDraws, rand_augment
from deit_core.data.augment.resized_crop import draw_regions, in_pixels, resized_crop
from deit_core.spec import AugmentSpec

CPU = torch.device("cpu")
FULL = AugmentSpec(
    horizontal_flip=True, resized_crop=0.08, randaugment_ops=2, color_jitter=0.3, random_erasing=0.5, repeated_aug=3
)


def photographs(count: int, chans: int = 3, size: int = 32) -> Tensor:
    """Smooth shapes with some noise: (count, chans, size, size) uint8."""
    generator = torch.Generator().manual_seed(size)
    coarse = torch.rand(count, chans, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic") * 255
    return (smooth + 8 * torch.randn(smooth.shape, generator=generator)).clamp(0, 255).to(torch.uint8)


def is_near(one: Tensor, other: Tensor) -> bool:
    """Whether they differ by one level of 256 at most, in less than one pixel of a thousand."""
    differing = (one.int() - other.int()).abs()
    return bool(differing.max() <= 1 and (differing > 0).float().mean() < 0.001)


def one_by_one(images: Tensor, number: int, magnitude: int) -> Tensor:
    """Each image after the operation with this number."""
    kind, value, matrix = operations_at(magnitude, images.shape[-1])[number]
    places = one_image.source_places(matrix, images.shape[-1])
    if kind in GEOMETRIC:
        return torch.from_numpy(np.stack([one_image.warped(image, places) for image in images.numpy()]))
    if kind == Kind.IDENTITY:
        return images
    return torch.from_numpy(np.stack([one_image.recoloured(i, kind, np.float32(value)) for i in images.numpy()]))


@pytest.mark.parametrize("chans", [1, 3])
@pytest.mark.parametrize("magnitude", [0, 9, 27])
def test_every_operation_is_the_same_for_one_image_and_for_a_batch_and_near_to_torchvisions(
    chans: int, magnitude: int
) -> None:
    images = photographs(3, chans)
    images[0] = 77  # flat: no range to stretch
    for number, (kind, value, matrix) in enumerate(operations_at(magnitude, 32)):
        at_once = whole_batch.warped(images, torch.tensor([matrix] * 3))
        at_once = whole_batch.recoloured(at_once, torch.full((3,), int(kind)), torch.full((3,), value))
        singly = one_by_one(images, number, magnitude)
        if kind == Kind.SATURATION:  # OpenCV rounds once where torch rounds twice
            assert is_near(at_once, singly), kind.name
        else:
            assert torch.equal(at_once, singly), kind.name
        draws = RandAugmentDraws(torch.full((3, 1), int(kind)), torch.full((3, 1), number >= len(Kind)))
        theirs = rand_augment(images, draws, magnitude)
        differing = (at_once.int() - theirs.int()).abs()
        if kind in GEOMETRIC:  # a place between two pixels may fall to either
            assert (differing > 0).float().mean() < 0.01, kind.name
        else:
            assert differing.max() <= 2, kind.name


def test_operations_of_one_image_do_not_depend_on_the_others() -> None:
    images, numbers = photographs(28), torch.arange(28)
    menu = operations_at(9, 32)
    kinds, values = torch.tensor([one.kind for one in menu]), torch.tensor([one.value for one in menu])
    matrices = torch.tensor([one.matrix for one in menu])
    mixed = whole_batch.recoloured(whole_batch.warped(images, matrices), kinds, values)
    for number in numbers.tolist():
        assert is_near(mixed[number], one_by_one(images[number : number + 1], number, 9)[0])


@pytest.mark.parametrize("chans", [1, 3])
def test_a_region_is_enlarged_as_by_the_first_version(chans: int) -> None:
    images = photographs(20, chans, size=64)
    regions = in_pixels(draw_regions(20, 0.08, 0, 0), 64)
    assert (regions[:, :2] >= 0).all()
    assert (regions[:, 2:] >= 1).all()
    assert (regions[:, :2] + regions[:, 2:] <= 64).all()
    at_once = whole_batch.enlarged(images, regions)
    singly = [one_image.enlarged(image, region) for image, region in zip(images.numpy(), regions.tolist(), strict=True)]
    assert is_near(at_once, torch.from_numpy(np.stack(singly)))
    first = resized_crop(images, regions.float() / 64)  # which sees the pixels around a region
    assert (at_once.int() - first.int()).abs().float().mean() < 0.3
    assert torch.equal(whole_batch.enlarged(images, torch.tensor([[0, 0, 64, 64]] * 20)), images)


def views(spec: AugmentSpec, count: int, size: int, epoch: int = 3) -> EpochViews:
    return EpochViews(spec, count, torch.arange(count), size, 0, epoch, CPU)


@pytest.mark.parametrize("field", ["resized_crop", "randaugment_ops", "color_jitter", "random_erasing"])
@pytest.mark.parametrize("chans", [1, 3])
def test_threads_make_the_views_that_a_gpu_makes(field: str, chans: int) -> None:
    """To one level of 256, for less than one pixel in a thousand; a later operation can make a level more of it."""
    spec = AugmentSpec(horizontal_flip=True, **{field: {"randaugment_ops": 3}.get(field, 0.5)})
    padded, places = pad(photographs(24, chans, size=64), 2), torch.randperm(24)
    made = views(spec, 24, 64)
    pixels, at_once = made.make(padded, places, places), made.at_once(padded, places, places)
    if field == "randaugment_ops":
        assert (pixels != at_once).float().mean() < 0.002
    else:
        assert is_near(*((made * 255).round() for made in (pixels, at_once)))
    assert not torch.equal(pixels, views(spec, 24, 64, epoch=4).make(padded, places, places))


@pytest.mark.parametrize("size", [16, 64])
def test_crop_and_flip_are_the_same_in_both_versions(size: int) -> None:
    data = Split(photographs(20, size=size), torch.arange(20))
    versions: tuple[PixelVersion, ...] = (1, 2)
    epochs = [
        list(TrainBatches(data, 8, AugmentSpec(horizontal_flip=True), 0, CPU, version).epoch(0)) for version in versions
    ]
    for first, second in zip(*epochs, strict=True):
        assert torch.equal(first.pixels, second.pixels)


def test_the_noise_is_of_the_view_and_uniform() -> None:
    spec = AugmentSpec(crop_padding=0, random_erasing=1)
    grey = torch.full((64, 3, 32, 32), 128, dtype=torch.uint8)
    pixels = views(spec, 64, 32).make(grey, torch.arange(64), slice(0, 64))
    is_noise = (pixels != 128 / 255).any(1)
    share = is_noise.float().mean().item()
    assert 0.1 < share < 0.25
    noise = pixels.movedim(1, -1)[is_noise]
    assert noise.mean().item() == pytest.approx(0.5, abs=0.02)
    assert noise.std().item() == pytest.approx(12**-0.5, abs=0.02)
    again = views(spec, 64, 32).make(grey[:8], torch.arange(8), slice(40, 48))
    assert torch.equal(again, pixels[40:48])


def test_the_views_of_this_version_stay_what_they_are() -> None:
    """Another hash is another version: old runs would go on with other views."""
    spec = AugmentSpec(horizontal_flip=True, randaugment_ops=2, color_jitter=0.3, random_erasing=0.25)
    pixels = views(spec, 64, 32).at_once(pad(golden_images(), 2), torch.arange(64), slice(0, 64))
    levels = (pixels * 255).round().to(torch.uint8).numpy()
    assert hashlib.sha256(levels.tobytes()).hexdigest()[:16] == "ec36ad16f1a38d16"


def golden_images() -> Tensor:
    """(64, 3, 32, 32), by whole numbers alone."""
    across, down = torch.arange(32), torch.arange(32)[:, None]
    number, channel = torch.arange(64)[:, None, None, None], torch.arange(3)[:, None, None]
    return ((across * (3 + channel) + down * (number % 7) + number * 29 + (across * down) % 11) % 256).to(torch.uint8)
