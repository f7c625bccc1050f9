"""A rough time: a known one, scaled by operations."""

import pytest

from deit_core import presets
from deit_core.analysis.cost import flops_per_image
from deit_core.analysis.rough_time import rough_duration, training_flops
from deit_core.spec import DataSpec, replace

MEASURED = {"teacher": 10.0, "vit": 20.0, "deit": 30.0}


def test_a_run_costs_its_steps_its_validation_and_its_teacher() -> None:
    teacher, _, deit = presets.digits_quick().runs
    num_train, num_val = deit.num_images(1437)
    each, asked = (flops_per_image(run, 1, 10) for run in (deit, teacher))
    assert each is not None
    assert asked is not None
    alone, taught = training_flops(deit), training_flops(deit, teacher)
    assert alone == 20 * (3 * num_train + num_val) * each
    assert taught == alone + 20 * num_train * asked  # mixed images are new in every epoch
    plain = replace(deit, {"augment.mixup_alpha": 0.0})
    assert training_flops(plain, teacher) == alone + 9 * num_train * asked  # shifts by a pixel make nine views


def test_each_run_is_scaled_by_its_own_operations() -> None:
    spec = presets.digits_quick()
    longer = replace(spec, {"vit.optim.epochs": 40})
    assert rough_duration(spec, 65.0, MEASURED, spec) == pytest.approx(65)
    assert rough_duration(spec, 65.0, MEASURED, longer) == pytest.approx(85)
    assert rough_duration(spec, 65.0, MEASURED, replace(spec, {"seeds": 3})) == pytest.approx(165)


def test_where_the_whole_alone_is_known_the_whole_is_scaled() -> None:
    spec = presets.digits_quick()
    assert rough_duration(spec, 60.0, {}, replace(spec, {"seeds": 1})) == pytest.approx(60)
    doubled = rough_duration(spec, 60.0, {}, replace(spec, {"optim.epochs": 40}))
    assert doubled is not None
    assert 110 < doubled < 180  # the teacher has five times as many epochs


def test_nothing_is_said_of_images_that_are_not_read() -> None:
    spec = presets.smoke()
    folder = spec.with_changes(data=DataSpec(source="folder", path="images", img_size=16))
    assert rough_duration(spec, 3.0, {}, folder) is None
