"""The models: CNN teacher, Vision Transformer, DeiT student; building them, and reading them from disk."""

from deit_core.models.build import build_model, build_student, build_teacher, input_statistics
from deit_core.models.cnn import PlainCnn, ResNet9
from deit_core.models.foreign.foreign_model import load_foreign_reading
from deit_core.models.foreign.positions import resample_pos_embed
from deit_core.models.foreign.vit_files import load_foreign
from deit_core.models.initial import find_checkpoint, hash_checkpoint, initialise
from deit_core.models.reading import FileReading, Reading
from deit_core.models.teachers import find_teacher, load_teacher, teacher_model
from deit_core.models.vit import VisionTransformer
from deit_core.models.weights import (
    ModelCard,
    is_foreign,
    library_versions,
    load_checkpoint,
    network_input,
    read_card,
    save_weights,
    weights_file,
)

__all__ = [
    "FileReading",
    "ModelCard",
    "PlainCnn",
    "Reading",
    "ResNet9",
    "VisionTransformer",
    "build_model",
    "build_student",
    "build_teacher",
    "find_checkpoint",
    "find_teacher",
    "hash_checkpoint",
    "initialise",
    "input_statistics",
    "is_foreign",
    "library_versions",
    "load_checkpoint",
    "load_foreign",
    "load_foreign_reading",
    "load_teacher",
    "network_input",
    "read_card",
    "resample_pos_embed",
    "save_weights",
    "teacher_model",
    "weights_file",
]
