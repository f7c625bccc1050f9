"""Which teacher the Attention page shows beside its student."""

from pathlib import Path

import pytest

from dashboard.views.attention.model_choice import Choice, best_file, teacher_of
from deit_core import presets
from deit_core.runs import Store, enqueue
from deit_core.spec import RunSpec


@pytest.mark.parametrize(
    ("model", "is_shown"),
    [
        ({"family": "resnet9"}, True),
        ({"family": "torchvision", "name": "resnet18"}, True),
        ({"family": "timm"}, True),
        ({"family": "vit"}, False),
    ],
)
def test_a_cnn_has_a_column(model: dict[str, str], is_shown: bool, store: Store) -> None:
    spec = presets.digits_quick()
    one = RunSpec.model_validate(spec.runs[0].model_dump() | {"model": model})
    teacher, _, deit = enqueue(store, spec.with_changes(runs=(one, *spec.runs[1:])))
    shown = [Choice(store.run(deit), Path("best.safetensors"), "Best epoch")]
    assert teacher_of(shown, store.runs()) is None  # it has no checkpoint yet
    file = best_file(store.run(teacher))
    file.parent.mkdir(parents=True)
    file.touch()
    found = teacher_of(shown, store.runs())
    assert (found is not None and found.file == file) == is_shown
