"""The names that other people's code imports stay where they are, and are called as they were."""

import inspect
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import deit_core
from deit_core import attention, presets, runs, training
from deit_core.spec import ExperimentSpec, RunSpec

PACKAGES = {
    "deit_core": [
        "presets", "replace", "load_data", "train", "train_with_bar", "Viewer", "rollout", "overlay", "save_pretrained",
        "from_pretrained",
    ],
    "deit_core.spec": [
        "RunSpec", "ExperimentSpec", "DataSpec", "AugmentSpec", "OptimSpec", "ComputeSpec", "DistillationSpec",
        "VisionTransformerSpec", "PlainCnnSpec", "ResNet9Spec", "TorchvisionSpec", "TimmSpec", "replace", "load_spec",
    ],
    "deit_core.presets": ["names", "get", "smoke", "digits_quick", "fashion_classroom", "fashion_miniproject"],
    "deit_core.models": [
        "VisionTransformer", "ResNet9", "build_model", "build_student", "build_teacher", "load_checkpoint",
        "load_foreign", "load_teacher", "read_card", "save_weights", "ModelCard",
    ],
    "deit_core.data": ["load_data", "load_source", "ImageData", "Split"],
    "deit_core.training": ["train", "evaluate"],
    "deit_core.attention": ["rollout", "Rollout", "overlay", "Viewer", "Look", "look", "grad_cam", "faithfulness"],
    "deit_core.analysis": [
        "differences", "mismatches", "chance_margin", "seed_groups", "distillation_pairings", "judge", "paired",
        "confusion", "disagreement", "inherited", "soft_labels", "dark_knowledge", "reliability", "best_temperature",
    ],
    "deit_core.runs": ["open_store", "submit", "enqueue", "Store", "Run", "Status", "LocalLauncher"],
}  # fmt: skip
MODULES = {
    "deit_core.distillation": [
        "DistillationLoss", "HardDistillationLoss", "SoftDistillationLoss", "DistillationTeacher",
    ],
    "deit_core.events": [
        "Event", "RunStarted", "StepDone", "EpochDone", "CheckpointSaved", "RunFinished", "RunFailed", "Reading",
    ],
    "deit_core.errors": [
        "DeitError", "SpecError", "DataError", "CheckpointError", "RunError", "ResourceError", "StoreError",
    ],
    "deit_core.settings": ["Settings"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in (PACKAGES | MODULES).items() for name in names]
)
def test_a_name_is_imported_from_where_it_was(module: str, name: str) -> None:
    assert getattr(import_module(module), name) is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_that_its_names_are_public(package: str) -> None:
    assert set(PACKAGES[package]) <= set(import_module(package).__all__)


def test_the_package_gives_ten_names_and_no_other() -> None:
    assert sorted(PACKAGES["deit_core"]) == deit_core.__all__
    assert set(deit_core.__all__) <= set(dir(deit_core))
    assert deit_core.rollout is attention.rollout
    assert deit_core.presets is presets
    with pytest.raises(AttributeError, match="module 'deit_core' has no attribute 'rolout'"):
        deit_core.rolout  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from deit_core import fit  # type: ignore[attr-defined]  # noqa: F401


def test_the_package_loads_nothing_before_a_name_is_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import deit_core; dir(deit_core); loaded = set(sys.modules) - before; "
        "assert not loaded & {'torch', 'numpy', 'pydantic', 'deit_core.spec'}, loaded; "
        "deit_core.replace(deit_core.presets.smoke(), {'seed': 3}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1], timeout=600)


def arguments(call: Any) -> dict[str, Any]:
    """What may be passed, and what it is otherwise."""
    return {name: one.default for name, one in inspect.signature(call).parameters.items()}


def test_the_presets_are_listed_and_got_by_name() -> None:
    assert "digits-quick" in presets.names()
    assert isinstance(presets.get("digits-quick"), ExperimentSpec)
    assert isinstance(presets.get("smoke"), RunSpec)


def test_a_rollout_takes_and_gives_what_it_did() -> None:
    options = arguments(attention.rollout)
    needed = [name for name, default in options.items() if default is inspect.Parameter.empty]
    assert needed == ["attention", "num_prefix_tokens", "grid_size"]
    assert {name: options[name] for name in options if name not in needed} == {
        "query": "head",
        "head_fusion": "mean",
        "discard_ratio": 0.0,
        "scope": "matrix",
        "layers": None,
        "residual": 0.5,
        "row_norm": "mixed",
        "compat": False,
    }
    parts = "weights map prefix_mass trace degenerate images"
    assert [one.name for one in fields(attention.Rollout)] == parts.split()


def test_a_training_needs_a_spec_and_a_folder() -> None:
    needed = [name for name, default in arguments(training.train).items() if default is inspect.Parameter.empty]
    assert needed == ["spec", "run_dir"]


def test_a_store_is_opened_with_or_without_an_address() -> None:
    assert arguments(runs.open_store)["url"] is None
    assert list(arguments(runs.submit))[:2] == ["store", "spec"]
