"""Which teacher the Attention page can show beside its student, and what it says of another."""

from pathlib import Path

from dashboard.attention.models import Choice, teacher_of, unread_teacher
from deit_core import presets
from deit_core.runs import Store, enqueue
from deit_core.spec import ExperimentSpec, RunSpec


def choices(store: Store, spec: ExperimentSpec) -> list[Choice]:
    *_, deit = enqueue(store, spec)
    return [Choice(store.run(deit), Path("best.safetensors"), "Best epoch")]


def test_a_teacher_that_grad_cam_cannot_read_is_named(store: Store) -> None:
    spec = presets.digits_quick()
    resnet = RunSpec.model_validate(
        spec.runs[0].model_dump() | {"model": {"family": "torchvision", "name": "resnet18"}}
    )
    shown = choices(store, spec.model_copy(update={"runs": (resnet, *spec.runs[1:])}))
    assert "a resnet18, has no column" in unread_teacher(shown, store.runs())
    assert teacher_of(shown, store.runs()) is None


def test_of_a_resnet9_nothing_needs_to_be_said(store: Store) -> None:
    shown = choices(store, presets.digits_quick())
    assert unread_teacher(shown, store.runs()) == ""
