"""The whole of a run as plain data: what is trained, on what, how, and with which seed.

Each field is defined once, with its description, unit and bounds; the form, its tooltips, the command line and the
docs are generated from here. A spec knows nothing of tensors, files on this machine, or the state of a run.
"""

from deit_core.spec.advice import advice, teacher_advice
from deit_core.spec.augment import AugmentSpec
from deit_core.spec.compute import ComputeSpec
from deit_core.spec.data import DataSpec
from deit_core.spec.distillation import DistillationSpec
from deit_core.spec.editing import (
    change_text,
    changes_between,
    load_spec,
    parse_change,
    replace,
    validated,
    value_text,
)
from deit_core.spec.experiment import AnySpec, Expectation, ExperimentSpec, listed_name, members
from deit_core.spec.fields import bounds, field_help, limits
from deit_core.spec.models import (
    LibrarySpec,
    ModelSpec,
    PlainCnnSpec,
    ResNet9Spec,
    TimmSpec,
    TorchvisionSpec,
    VisionTransformerSpec,
)
from deit_core.spec.optim import OptimSpec
from deit_core.spec.places import (
    file_name,
    place_hash,
    run_without_places,
    text_without_places,
    without_places,
)
from deit_core.spec.rollout import RolloutSpec
from deit_core.spec.run import SEARCH_TAG, RunSpec
from deit_core.spec.sweep import MAX_TRAININGS, Range, Sweep, parse_values
from deit_core.spec.swept import kind_of, swept, trainings, with_sweep

__all__ = [
    "MAX_TRAININGS",
    "SEARCH_TAG",
    "AnySpec",
    "AugmentSpec",
    "ComputeSpec",
    "DataSpec",
    "DistillationSpec",
    "Expectation",
    "ExperimentSpec",
    "LibrarySpec",
    "ModelSpec",
    "OptimSpec",
    "PlainCnnSpec",
    "Range",
    "ResNet9Spec",
    "RolloutSpec",
    "RunSpec",
    "Sweep",
    "TimmSpec",
    "TorchvisionSpec",
    "VisionTransformerSpec",
    "advice",
    "bounds",
    "change_text",
    "changes_between",
    "field_help",
    "file_name",
    "kind_of",
    "limits",
    "listed_name",
    "load_spec",
    "members",
    "parse_change",
    "parse_values",
    "place_hash",
    "replace",
    "run_without_places",
    "swept",
    "teacher_advice",
    "text_without_places",
    "trainings",
    "validated",
    "value_text",
    "with_sweep",
    "without_places",
]
