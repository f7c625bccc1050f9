"""Training a student and its teacher: images a second, against the tutorials' loop, timm's and vit-pytorch's tasks.

All have the mini-project's widths, batch, teacher and data, and train in turn in one process, step by step; medians of
steps leave out what is done once an epoch, which `end-to-end` has. timm and vit-pytorch are given this project's
batches, since neither has a loader of its own for data in memory; the tutorials' loop reads PIL images one by one
through a DataLoader, as they do.
"""

import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from benchmarks.timing import median_ratio, seconds_of
from deit_core import presets
from deit_core.data import ImageData, TrainBatches, load_data
from deit_core.data.supply import in_order
from deit_core.distillation import DistillationTeacher
from deit_core.models import VisionTransformer, build_student, build_teacher
from deit_core.models.dropout import Dropout
from deit_core.settings import Settings
from deit_core.spec import ComputeSpec, RunSpec, replace
from deit_core.torchvision_ops import torchvision
from deit_core.training.device import Plan, choose_device, place
from deit_core.training.probe import choose_plan
from deit_core.training.step import TrainStep
from deit_core.training.teacher_logits import TeacherLogits

_ROUNDS, _LONG_ROUNDS, _WARM_UP = 65, 205, 5  # steps of each loop
_STEPS = 40  # of one epoch, gone over again and again: so many batches hold all that a loop meets
_DEVICE = choose_device(ComputeSpec())

Loop = Iterator[int]  # makes a step each time, and says of how many images


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Images/s, and ratios to the tutorials' loop and to the bare step: students, hard and soft, and the teacher."""
    rounds = _LONG_ROUNDS if long else _ROUNDS
    specs = _specs()
    data = load_data(specs["deit"].data, Settings.from_env().data_dir)
    for kind in ("hard", "soft"):
        deit = replace(specs["deit"], {"distillation.kind": kind})
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows(f"student, {kind}", _student_loops(deit, specs["teacher"], data, Path(folder)), rounds)
    with tempfile.TemporaryDirectory() as folder:
        yield from _rows("teacher", _teacher_loops(specs["teacher"], data, Path(folder)), rounds)


def _specs() -> dict[str, RunSpec]:
    experiment = presets.fashion_miniproject()
    small = replace(experiment, {f"{run.name}.data.fraction": 0.2 for run in experiment.runs})
    return {run.name: run for run in small.runs}


def _rows(what: str, loops: dict[str, Loop], rounds: int) -> Iterator[dict[str, object]]:
    """In each round each loop makes one step, so that the machine's moods hit all alike.

    The order is drawn again each time: a step is faster after one like itself.
    """
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(loops), len(loops)):
            speeds[name].append(_speed_of_step(loops[name]))
    speeds = {name: values[_WARM_UP:] for name, values in speeds.items()}
    for name, values in speeds.items():
        low, to_bare_step, high = median_ratio(values, speeds["bare step"])
        yield {
            "what": what,
            "loop": name,
            "images_per_s": round(statistics.median(values)),
            "to_tutorial": round(median_ratio(values, speeds["tutorial"])[1], 2),
            "to_bare_step": round(to_bare_step, 3),
            "interval_95": f"{low:.3f} to {high:.3f}",
        }


def _speed_of_step(loop: Loop) -> float:
    counts: list[int] = []
    seconds = seconds_of(lambda: counts.append(next(loop)))
    return counts[0] / seconds


def _student_loops(spec: RunSpec, teacher_spec: RunSpec, data: ImageData, folder: Path) -> dict[str, Loop]:
    """Every loop has a student and an optimiser of its own, and the same teacher."""
    torch.manual_seed(0)
    cnn = place(build_teacher(teacher_spec).eval(), _DEVICE)
    mean, std = (torch.tensor(values, device=_DEVICE).view(-1, 1, 1) for values in (data.mean, data.std))

    def normalize(pixels: Tensor) -> Tensor:
        return (pixels - mean) / std

    def teacher() -> DistillationTeacher:
        return DistillationTeacher(cnn, data.mean, data.std, teacher_spec.data.img_size)

    plan = _choose(_step(spec, build_student(spec), teacher(), normalize, data), data, folder)

    def ours(plan: Plan, *, stored: bool = True) -> Loop:
        logits = TeacherLogits(teacher(), teacher_spec.model, _DEVICE, "float32" if stored else "off")
        if stored:
            logits.open_table(folder, spec, data, cap_gb=1.0)
            for batch in islice(_batches(spec, data).epoch(0), _STEPS):
                logits(batch.pixels, batch.rows)
        return _our_loop(_step(spec, build_student(spec), logits, normalize, data), data, plan)

    return {
        "tutorial": _tutorial_student(spec, cnn, data),
        "timm": _timm(spec, cnn, normalize, data),
        "vit-pytorch": _vit_pytorch(spec, cnn, normalize, data),
        "deit_core, teacher asked": ours(plan, stored=False),
        "deit_core, float32": ours(Plan()),
        f"deit_core, {plan}": ours(plan),
        "bare step": _bare(build_student(spec).train(), _resident(spec, data, normalize), spec, plan),
    }


def _teacher_loops(spec: RunSpec, data: ImageData, folder: Path) -> dict[str, Loop]:
    torch.manual_seed(0)
    mean, std = (torch.tensor(values, device=_DEVICE).view(-1, 1, 1) for values in (data.mean, data.std))

    def normalize(pixels: Tensor) -> Tensor:
        return (pixels - mean) / std

    step = _step(spec, build_teacher(spec), None, normalize, data)
    plan = _choose(step, data, folder)
    return {
        "tutorial": _tutorial(spec, build_teacher(spec).train(), F.cross_entropy, data),
        f"deit_core, {plan}": _our_loop(step, data, plan),
        "bare step": _bare(build_teacher(spec).train(), _resident(spec, data, normalize), spec, plan),
    }


def _batches(spec: RunSpec, data: ImageData) -> TrainBatches:
    return TrainBatches(data.train, spec.optim.batch_size, spec.augment, spec.seed, _DEVICE)


def _step(
    spec: RunSpec, model: nn.Module, teacher: nn.Module | None, normalize: Callable[[Tensor], Tensor], data: ImageData
) -> TrainStep:
    return TrainStep(spec, place(model.train(), _DEVICE), teacher, normalize, _batches(spec, data).steps_per_epoch)


def _choose(step: TrainStep, data: ImageData, folder: Path) -> Plan:
    """How the runs of this project would compute; eager, as runs this short are."""
    batch = next(_batches(step.spec, data).epoch(0))
    return choose_plan(step, batch.pixels, batch.labels, folder / "plans", num_steps=1)


def _our_loop(step: TrainStep, data: ImageData, plan: Plan) -> Loop:
    step.follow(plan)
    batches = _batches(step.spec, data)
    number = 0
    while True:
        for batch in islice(batches.epoch(0), _STEPS):
            step(batch.pixels, batch.labels, number, batch.rows)
            number += 1
            yield len(batch.labels)


def _tutorial_student(spec: RunSpec, cnn: nn.Module, data: ImageData) -> Loop:
    """Attention written out, torch's own dropout, the teacher asked at every step."""
    student = _with_torchs_dropout(build_student(spec)).train()

    def loss(model: VisionTransformer, pixels: Tensor, labels: Tensor) -> Tensor:
        tokens, _ = model.forward_features(pixels, return_attention=True)
        logits = model.forward_heads(tokens)
        with torch.no_grad():
            teacher_logits = cnn(pixels)
        return _distillation_loss(spec, logits["class"], logits["distillation"], teacher_logits, labels)

    return _tutorial(spec, student, lambda pixels, labels: loss(student, pixels, labels), data)


def _with_torchs_dropout(model: VisionTransformer) -> VisionTransformer:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Dropout):
                setattr(module, name, nn.Dropout(child.p))
    return model


def _tutorial(spec: RunSpec, model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], data: ImageData) -> Loop:
    """A DataLoader of PIL images, a plain optimiser, and the loss read at every step."""
    model.to(_DEVICE)
    criterion = loss if isinstance(model, VisionTransformer) else lambda pixels, labels: loss(model(pixels), labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    loader = torch.utils.data.DataLoader(_PilImages(spec, data), spec.optim.batch_size, shuffle=True, drop_last=True)
    running = 0.0
    while True:
        for batch in loader:
            pixels, labels = (part.to(_DEVICE) for part in batch)
            value = criterion(pixels, labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            running += value.item()
            yield len(labels)


class _PilImages(torch.utils.data.Dataset[tuple[Tensor, int]]):
    def __init__(self, spec: RunSpec, data: ImageData) -> None:
        transforms = torchvision.transforms
        self.images = [Image.fromarray(image[0].numpy()) for piece in in_order(data.train.images, 1) for image in piece]
        self.labels = data.train.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(spec.data.img_size, padding=spec.augment.crop_padding),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.mean, data.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def _timm(spec: RunSpec, cnn: nn.Module, normalize: Callable[[Tensor], Tensor], data: ImageData) -> Loop:
    from timm.models.deit import VisionTransformerDistilled
    from timm.task import TokenDistillationTask

    shape = build_student(spec)
    student: Any = VisionTransformerDistilled(  # type: ignore[no-untyped-call]
        img_size=shape.img_size,
        patch_size=shape.patch_size,
        in_chans=shape.in_chans,
        num_classes=shape.num_classes,
        embed_dim=shape.embed_dim,
        depth=shape.depth,
        num_heads=shape.num_heads,
        mlp_ratio=_mlp_ratio(spec),
        attn_drop_rate=spec.model.model_dump()["attn_drop_rate"],
        proj_drop_rate=_drop_rate(spec),
        pos_drop_rate=_drop_rate(spec),
    ).to(_DEVICE)
    channel = {"mean": (0.5,) * shape.in_chans, "std": (0.5,) * shape.in_chans}
    student.pretrained_cfg = channel
    teacher: Any = cnn
    teacher.pretrained_cfg = channel
    assert spec.distillation is not None
    task = TokenDistillationTask(
        student,
        teacher,
        nn.CrossEntropyLoss(),
        distill_type=spec.distillation.kind,
        task_loss_weight=1 - spec.distillation.alpha,
        temperature=spec.distillation.tau,
        verbose=False,
    ).train()
    return _peer(spec, student.parameters(), lambda pixels, labels: task(pixels, labels)["loss"], normalize, data)


def _vit_pytorch(spec: RunSpec, cnn: nn.Module, normalize: Callable[[Tensor], Tensor], data: ImageData) -> Loop:
    from vit_pytorch.distill import DistillableViT, DistillWrapper

    shape = build_student(spec)
    student = DistillableViT(
        image_size=shape.img_size[0],
        patch_size=shape.patch_size[0],
        num_classes=shape.num_classes,
        dim=shape.embed_dim,
        depth=shape.depth,
        heads=shape.num_heads,
        dim_head=shape.embed_dim // shape.num_heads,
        mlp_dim=int(_mlp_ratio(spec) * shape.embed_dim),
        channels=shape.in_chans,
        dropout=_drop_rate(spec),
        emb_dropout=_drop_rate(spec),
    )
    assert spec.distillation is not None
    wrapper = DistillWrapper(
        student=student,
        teacher=cnn,
        temperature=spec.distillation.tau,
        alpha=spec.distillation.alpha,
        hard=spec.distillation.kind == "hard",
    )
    cnn.eval()
    wrapper.to(_DEVICE)
    parameters = [parameter for name, parameter in wrapper.named_parameters() if not name.startswith("teacher.")]
    return _peer(spec, parameters, wrapper, normalize, data)


def _peer(
    spec: RunSpec,
    parameters: Any,
    loss: Callable[[Tensor, Tensor], Tensor],
    normalize: Callable[[Tensor], Tensor],
    data: ImageData,
) -> Loop:
    optimizer = torch.optim.AdamW(parameters, lr=5e-4)
    batches = _batches(spec, data)
    while True:
        for batch in islice(batches.epoch(0), _STEPS):
            value = loss(normalize(batch.pixels), batch.labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            yield len(batch.labels)


def _resident(spec: RunSpec, data: ImageData, normalize: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    batch = next(_batches(spec, data).epoch(0))
    return normalize(batch.pixels), batch.labels


def _bare(model: nn.Module, resident: tuple[Tensor, Tensor], spec: RunSpec, plan: Plan) -> Loop:
    """Forward, loss, backward and update on one batch, and nothing else."""
    place(model, _DEVICE, channels_last=plan.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, fused=True)
    pixels, labels = resident
    teacher_logits = torch.randn(len(labels), int(labels.max()) + 1, device=_DEVICE)
    for _ in cycle([0]):
        with torch.autocast(_DEVICE.type, torch.bfloat16, enabled=plan.precision == "bfloat16"):
            outputs = model(pixels)
        if isinstance(outputs, tuple):
            value = _distillation_loss(spec, outputs[0], outputs[1], teacher_logits, labels)
        else:
            value = F.cross_entropy(outputs.float(), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        yield len(labels)


def _distillation_loss(
    spec: RunSpec, by_class: Tensor, by_token: Tensor, teacher_logits: Tensor, labels: Tensor
) -> Tensor:
    assert spec.distillation is not None
    alpha, tau = spec.distillation.alpha, spec.distillation.tau
    if spec.distillation.kind == "hard":
        taught = F.cross_entropy(by_token, teacher_logits.argmax(-1))
    else:
        soft = F.kl_div((by_token / tau).log_softmax(-1), (teacher_logits / tau).softmax(-1), reduction="batchmean")
        taught = tau**2 * soft
    return (1 - alpha) * F.cross_entropy(by_class, labels) + alpha * taught


def _mlp_ratio(spec: RunSpec) -> float:
    ratio: float = spec.model.model_dump()["mlp_ratio"]
    return ratio


def _drop_rate(spec: RunSpec) -> float:
    rate: float = spec.model.model_dump()["drop_rate"]
    return rate
