"""What the calls of growth work on, of noise: images, models, folders, stores."""

from math import isqrt
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.filling import add_copies, fill_points
from deit_core import presets
from deit_core.attention.flow.prepared import PreparedRollout
from deit_core.data import Split
from deit_core.models import VisionTransformer
from deit_core.runs import Store, enqueue, open_store
from deit_core.spec import DataSpec

NUM_CLASSES = 10


def images(count: int) -> Tensor:
    return torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8)


def split(count: int) -> Split:
    return Split(images(count), torch.arange(count) % NUM_CLASSES)


def grid_of(num_tokens: int) -> int:
    return isqrt(num_tokens - 1)


def vit(num_tokens: int, depth: int = 4) -> VisionTransformer:
    return VisionTransformer(4 * grid_of(num_tokens), 4, 1, NUM_CLASSES, 64, depth, 4)


def attention(num_tokens: int, depth: int = 4) -> Tensor:
    """(L, 1, H, N, N)"""
    return torch.randn(depth, 1, 4, num_tokens, num_tokens).softmax(-1)


def prepared_rollout(num_tokens: int, depth: int = 4) -> PreparedRollout:
    grid = grid_of(num_tokens)
    return PreparedRollout(attention(num_tokens, depth), num_prefix_tokens=1, grid_size=(grid, grid))


def write_files(count: int, folder: Path) -> DataSpec:
    """Small PNG files that all differ, in folders of four classes."""
    sample = folder / "sample.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(sample)
    content = sample.read_bytes()
    for label in range(4):
        (folder / "images" / f"class {label}").mkdir(parents=True)
    for number in range(count):
        file = folder / "images" / f"class {number % 4}" / f"{number:07}.png"
        file.write_bytes(content + number.to_bytes(8))  # after the end of a PNG anything may stand
    return DataSpec(source="folder", path="images", img_size=8, colour=False)


def store_of(num_runs: int, folder: Path) -> Store:
    store = open_store(f"sqlite:///{folder}/runs.sqlite")
    enqueue(store, presets.smoke())
    add_copies(store, num_runs)
    return store


def run_of(num_points: int, folder: Path) -> tuple[Store, str]:
    store = open_store(f"sqlite:///{folder}/runs.sqlite")
    (run_id,) = enqueue(store, presets.smoke())
    fill_points(store, [run_id], num_points)
    return store, run_id
