"""The logits of a run's teacher for its batches: read from a table if they are stored, else computed.

Exact: both give the same bits. Convolutions and matrix products round differently for other batch sizes and numbers of
threads, so on a CPU the teacher always computes in pieces of one size, with or without a table, and the machine is part
of the key of a table. Knows no student and no files.

    B batch, K classes
"""

import hashlib
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.catalog.pixel_versions import FIRST_PIXELS, NEWEST_PIXELS, PixelVersion
from deit_core.data import ImageData
from deit_core.data.batches import whole_batches
from deit_core.distillation import DistillationTeacher
from deit_core.errors import ResourceError
from deit_core.models import VisionTransformer
from deit_core.spec import ModelSpec, RunSpec
from deit_core.training.device import machine_facts, place
from deit_core.training.logit_table import LogitTable, NoRoomError, open_table

_DRAWING = 2  # the version of how deit_core.data draws and computes views; another one must not find the same table
_CPU_PIECE, _GPU_PIECE = 32, 128  # images; as fast as whole batches, and few to pad up to


class TeacherLogits(nn.Module):
    """A teacher with stored logits, called like the teacher itself. Its model goes to the device on its first use.

    Args:
        teacher: on the CPU.
        model: what it is built from.
        stored: how logits are stored; "float16" also rounds computed logits, so that all students get the same.
        all_views: also those of views that occur only once in a training.
        write_at_once: if False, `flush` writes new logits. On a GPU this avoids waiting at every step.
    """

    def __init__(
        self,
        teacher: DistillationTeacher,
        model: ModelSpec,
        device: torch.device,
        stored: Literal["float32", "float16", "off"] = "float32",
        *,
        all_views: bool = False,
        write_at_once: bool | None = None,
    ) -> None:
        super().__init__()
        self.teacher, self.model, self.device = teacher, model, device
        self.stored, self.all_views = stored, all_views
        self.write_at_once = device.type == "cpu" if write_at_once is None else write_at_once
        self._is_placed = False
        self._table: LogitTable | None = None
        self._unwritten: list[tuple[Tensor, Tensor]] = []  # rows on the CPU, logits on the device
        self._num_found, self._num_sought = 0, 0

    def forward(self, pixels: Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits (B, K) of pixels (B, C, S, S) in [0, 1].

        Args: rows: (B,) on the CPU, the numbers of these views in the table; without them the teacher computes.
        """
        if self._table is None or rows is None:
            return self._ask(pixels)
        logits, known = self._table.read(rows)
        unknown = (~known).nonzero()[:, 0]
        self._num_found += len(rows) - len(unknown)
        self._num_sought += len(rows)
        logits = self._to_device(logits)
        if len(unknown):
            places = self._to_device(unknown)
            answers = self._ask(pixels[places])
            logits[places] = answers
            self._unwritten.append((rows[unknown], answers))
            if self.write_at_once:
                self.flush()
        return logits

    @property
    def has_table(self) -> bool:
        """Whether logits are read from a table, which is on the CPU."""
        return self._table is not None

    @cached_property
    def hash(self) -> str:
        """A SHA-256 of all that decides the teacher's logits, independent of the place of its files."""
        model = self.teacher.model
        facts: tuple[object, ...] = hash_weights(self.teacher), self.teacher.img_size, self.teacher.precision
        if isinstance(model, VisionTransformer):  # whose tensors do not say these
            facts += model.num_heads, model.norm.eps
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def open_table(
        self,
        home: Path,
        spec: RunSpec,
        data: ImageData,
        cap_gb: float,
        pixel_version: PixelVersion = NEWEST_PIXELS,
    ) -> str:
        """Read logits from now on, from the table in `home` for this teacher, these views and this machine.

        Returns: a sentence: the table, or why the teacher computes at every step.
        """
        if self.stored == "off":
            return "The teacher computes its logits at every step, because distillation.stored_logits is off."
        if spec.num_views is None and not self.all_views:
            return (
                "The teacher computes its logits at every step, because no view repeats; with "
                "distillation.stored_views all, they are stored for other students with this seed."
            )
        views, num_rows = _views(spec, len(data.train), pixel_version)
        facts = {
            "teacher": teacher_facts(self.teacher, self.model),
            "images": {"data": data.content_hash, "split": spec.data.split, "img_size": spec.data.img_size}
            | _unless_first(data.pixel_version),
            "views": views,
            "machine": machine_facts(self.device),
        }
        try:
            table = open_table(home, facts, (num_rows, len(data.classes)), self.stored, cap_gb * 1e9)
        except (NoRoomError, ResourceError, OSError) as reason:
            return f"The teacher computes its logits at every step, because there is no table for them: {reason}."
        self._table = table
        return (
            f"The teacher's logits are read from {table.folder} ({table.size_bytes / 1e6:.0f} MB, "
            f"{table.share_filled():.0%} filled)."
        )

    def take_hit_rate(self) -> float | None:
        """The share of images with logits in the table since the last call; None without any image."""
        rate = self._num_found / self._num_sought if self._num_sought else None
        self._num_found, self._num_sought = 0, 0
        return rate

    def flush(self) -> None:
        """Write the logits that the teacher computed since the last call."""
        if self._table is not None and self._unwritten:
            rows, logits = (torch.cat(parts) for parts in zip(*self._unwritten, strict=True))
            self._table.write(rows, logits.cpu())
        self._unwritten = []

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _ask(self, pixels: Tensor) -> Tensor:
        """The model's logits (B, K) of pixels, whose bits depend on nothing but each image."""
        if not self._is_placed:
            place(self.teacher, self.device)
            self._is_placed = True
        size = _CPU_PIECE if self.device.type == "cpu" else _GPU_PIECE
        padded = F.pad(pixels, (0, 0) * 3 + (0, -len(pixels) % size))
        logits = torch.cat([self.teacher(piece) for piece in padded.split(size)])[: len(pixels)]
        return logits.half().float() if self.stored == "float16" else logits

    def _to_device(self, tensor: Tensor) -> Tensor:
        """Without waiting for what a GPU is still busy with."""
        if self.device.type != "cuda":  # other devices must finish the copy first
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)


def _views(spec: RunSpec, num_images: int, pixel_version: PixelVersion) -> tuple[dict[str, Any], int]:
    """The facts that the views of a training depend on, and the number of rows for them (see
    `deit_core.data.batches.Batch`).
    """
    num_views = spec.num_views
    if num_views is not None:
        return spec.augment.model_dump(include={"crop_padding", "horizontal_flip"}), num_images * num_views
    batch_size, steps = whole_batches(num_images, spec.optim.batch_size)
    drawn = {"seed": spec.seed, "batch_size": batch_size, "drawing": _DRAWING}
    drawn |= _unless_first(pixel_version)
    if pixel_version == FIRST_PIXELS:  # these libraries draw and compute the views
        libraries = {"numpy": version("numpy"), "torchvision": version("torchvision")}
    else:
        libraries = {"numpy": version("numpy"), "opencv": cv2.__version__}
    return spec.augment.model_dump(exclude={"test_flip"}) | drawn | libraries, spec.optim.epochs * steps * batch_size


def _unless_first(pixel_version: PixelVersion) -> dict[str, int]:
    """The fact that tables of the first version do not have."""
    return {} if pixel_version == FIRST_PIXELS else {"pixel_version": pixel_version}


def teacher_facts(teacher: DistillationTeacher, model: ModelSpec) -> dict[str, Any]:
    """All that decides a teacher's logits for given pixels."""
    return {
        "weights": hash_weights(teacher),
        "model": model.model_dump(),
        "img_size": teacher.img_size,
        "precision": teacher.precision,
    }


def hash_weights(teacher: DistillationTeacher) -> str:
    """A SHA-256 of its tensors; mean and standard deviation of its pixels are among them."""
    digest = hashlib.sha256()
    for name, tensor in teacher.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
