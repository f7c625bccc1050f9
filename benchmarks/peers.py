"""The loops of others: the tutorials', timm's and vit-pytorch's, with the widths, teacher and data of a spec of ours.

timm and vit-pytorch are given this project's batches, since neither has a loader of its own for data in memory; the
tutorials' loop reads PIL images one by one through a DataLoader, as they do.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from benchmarks.loops import Loop, Normalize, batches_again, distillation_loss
from deit_core.data import ImageData
from deit_core.data.supply import in_order
from deit_core.models import VisionTransformer, build_student
from deit_core.models.dropout import Dropout
from deit_core.spec import RunSpec, VisionTransformerSpec
from deit_core.torchvision_ops import torchvision

Loss = Callable[[Tensor, Tensor], Tensor]  # of pixels and labels


def tutorial_student(spec: RunSpec, cnn: nn.Module, data: ImageData, device: torch.device) -> Loop:
    """Attention written out, torch's own dropout, the teacher asked at every step."""
    student = _with_torchs_dropout(build_student(spec)).train()

    def loss(pixels: Tensor, labels: Tensor) -> Tensor:
        tokens, _ = student.forward_features(pixels, return_attention=True)
        logits = student.forward_heads(tokens)
        if spec.distillation is None:
            return F.cross_entropy(logits["class"], labels)
        with torch.no_grad():
            teacher_logits = cnn(pixels)
        return distillation_loss(spec, (logits["class"], logits["distillation"]), teacher_logits, labels)

    return _tutorial(spec, student, loss, data, device)


def tutorial_teacher(spec: RunSpec, cnn: nn.Module, data: ImageData, device: torch.device) -> Loop:
    return _tutorial(spec, cnn.train(), lambda pixels, labels: F.cross_entropy(cnn(pixels), labels), data, device)


def _with_torchs_dropout(model: VisionTransformer) -> VisionTransformer:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Dropout):
                setattr(module, name, nn.Dropout(child.p))
    return model


def _tutorial(spec: RunSpec, model: nn.Module, loss: Loss, data: ImageData, device: torch.device) -> Loop:
    """A DataLoader of PIL images, a plain optimiser, and the loss read at every step."""
    optimizer = torch.optim.AdamW(model.to(device).parameters(), lr=5e-4)
    loader = torch.utils.data.DataLoader(_PilImages(spec, data), spec.optim.batch_size, shuffle=True, drop_last=True)
    running = 0.0
    while True:
        for batch in loader:
            pixels, labels = (part.to(device) for part in batch)
            value = loss(pixels, labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            running += value.item()
            yield len(labels)


class _PilImages(torch.utils.data.Dataset[tuple[Tensor, int]]):
    def __init__(self, spec: RunSpec, data: ImageData) -> None:
        transforms = torchvision.transforms
        pieces = in_order(data.train.images, 1)
        self.images = [Image.fromarray(image[0].cpu().numpy()) for piece in pieces for image in piece]
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


def timm_student(spec: RunSpec, cnn: nn.Module, normalize: Normalize, data: ImageData, device: torch.device) -> Loop:
    """timm's distilled ViT in its TokenDistillationTask. Raises: ImportError without timm."""
    from timm.models.deit import VisionTransformerDistilled
    from timm.task import TokenDistillationTask

    assert isinstance(spec.model, VisionTransformerSpec)
    assert spec.distillation is not None
    shape = build_student(spec)
    student: Any = VisionTransformerDistilled(  # type: ignore[no-untyped-call]
        img_size=shape.img_size,
        patch_size=shape.patch_size,
        in_chans=shape.in_chans,
        num_classes=shape.num_classes,
        embed_dim=shape.embed_dim,
        depth=shape.depth,
        num_heads=shape.num_heads,
        mlp_ratio=spec.model.mlp_ratio,
        attn_drop_rate=spec.model.attn_drop_rate,
        proj_drop_rate=spec.model.drop_rate,
        pos_drop_rate=spec.model.drop_rate,
    ).to(device)
    channel = {"mean": (0.5,) * shape.in_chans, "std": (0.5,) * shape.in_chans}
    student.pretrained_cfg = channel
    teacher: Any = cnn
    teacher.pretrained_cfg = channel
    task = TokenDistillationTask(
        student,
        teacher,
        nn.CrossEntropyLoss(),
        distill_type=spec.distillation.kind,
        task_loss_weight=1 - spec.distillation.alpha,
        temperature=spec.distillation.tau,
        verbose=False,
    )
    task.to(device).train()
    return _peer(
        spec, student.parameters(), lambda pixels, labels: task(pixels, labels)["loss"], normalize, data, device
    )


def vit_pytorch_student(
    spec: RunSpec, cnn: nn.Module, normalize: Normalize, data: ImageData, device: torch.device
) -> Loop:
    """vit-pytorch's ViT in its DistillWrapper. Raises: ImportError without vit-pytorch."""
    from vit_pytorch.distill import DistillableViT, DistillWrapper

    assert isinstance(spec.model, VisionTransformerSpec)
    assert spec.distillation is not None
    shape = build_student(spec)
    student = DistillableViT(
        image_size=shape.img_size[0],
        patch_size=shape.patch_size[0],
        num_classes=shape.num_classes,
        dim=shape.embed_dim,
        depth=shape.depth,
        heads=shape.num_heads,
        dim_head=shape.embed_dim // shape.num_heads,
        mlp_dim=int(spec.model.mlp_ratio * shape.embed_dim),
        channels=shape.in_chans,
        dropout=spec.model.drop_rate,
        emb_dropout=spec.model.drop_rate,
    )
    wrapper = DistillWrapper(
        student=student,
        teacher=cnn,
        temperature=spec.distillation.tau,
        alpha=spec.distillation.alpha,
        hard=spec.distillation.kind == "hard",
    )
    cnn.eval()
    wrapper.to(device)
    parameters = [parameter for name, parameter in wrapper.named_parameters() if not name.startswith("teacher.")]
    return _peer(spec, parameters, wrapper, normalize, data, device)


def _peer(
    spec: RunSpec,
    parameters: Iterable[nn.Parameter],
    loss: Loss,
    normalize: Normalize,
    data: ImageData,
    device: torch.device,
) -> Loop:
    optimizer = torch.optim.AdamW(parameters, lr=5e-4)
    for batch in batches_again(spec, data, device):
        value = loss(normalize(batch.pixels), batch.labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        yield len(batch.labels)
