"""The CNN teachers for small images: ResNet-9, and a plain CNN of two convolutions. Tensors in, logits out.

Both find a pattern wherever it stands: their head reads the maximum of each channel over all places.
"""

from typing import ClassVar

from torch import Tensor, nn


class Cnn(nn.Module):
    """Stages, the maximum of each channel of the last one, and a linear head; a subclass says which stages.

    Attributes:
        strides: pixels per cell of each stage, down and across, the last stage last.
    """

    strides: ClassVar[dict[str, int]]
    pool: nn.Module
    head: nn.Linear

    def __init__(self, in_chans: int, num_classes: int) -> None:
        super().__init__()
        self.in_chans, self.num_classes = in_chans, num_classes

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, height, width) -> features (B, chans, height // stride, width // stride) by stage, as in `strides`."""
        raise NotImplementedError

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, height, width) -> features (B, chans, height // stride, width // stride) of the last stage."""
        *_, last = self.forward_stages(x).values()
        return last

    def forward_embedding(self, x: Tensor) -> Tensor:
        """(B, C, height, width) -> what `classify` reads, (B, chans)."""
        return self._pooled(self.forward_features(x))

    def classify(self, embedding: Tensor) -> Tensor:
        """An embedding -> logits (B, classes)."""
        logits: Tensor = self.head(embedding)
        return logits

    def forward_head(self, features: Tensor) -> Tensor:
        """Features of the last stage -> logits (B, classes)."""
        return self.classify(self._pooled(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.forward_embedding(x))

    def _pooled(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.pool(features)
        return pooled.flatten(1)


class PlainCnn(Cnn):
    """(B, C, height, width) -> logits (B, classes): twice a convolution of 3 x 3, ReLU and the maximum of 2 x 2.

    Args:
        width: channels of the first convolution; the second has twice as many.
    """

    strides: ClassVar = {"layer1": 2, "layer2": 4}

    def __init__(self, in_chans: int = 3, num_classes: int = 1000, width: int = 16) -> None:
        super().__init__(in_chans, num_classes)
        self.layer1 = nn.Sequential(nn.Conv2d(in_chans, width, 3, padding=1), nn.MaxPool2d(2), _relu())
        self.layer2 = nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1), nn.MaxPool2d(2), _relu())
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(2 * width, num_classes)

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        layer1 = self.layer1(x)
        return {"layer1": layer1, "layer2": self.layer2(layer1)}


class _ConvBlock(nn.Sequential):
    """3x3 convolution that keeps height and width, batch norm, and a last module."""

    def __init__(self, in_chans: int, out_chans: int, last: nn.Module) -> None:
        super().__init__(
            nn.Conv2d(in_chans, out_chans, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(out_chans), last
        )


class _Residual(nn.Module):
    def __init__(self, chans: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_ConvBlock(chans, chans, _relu()), _ConvBlock(chans, chans, _relu()))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class ResNet9(Cnn):
    """(B, C, height, width) -> logits (B, classes). Under 0.8M parameters at the default width.

    Each stage halves height and width; pooling drops an odd last row or column.

    Args:
        width: channels of the first layer; the later ones have 2 and 4 times as many.
    Source: Coleman et al.'s DAWNBench entries as refined by D. Page ("How to train your ResNet", 2018).
    """

    strides: ClassVar = {"layer1": 2, "layer2": 4, "layer3": 8}

    def __init__(self, in_chans: int = 3, num_classes: int = 1000, width: int = 32) -> None:
        super().__init__(in_chans, num_classes)
        # Pooling before ReLU gives the same bits as after it, and leaves ReLU a quarter of the numbers.
        self.stem = _ConvBlock(in_chans, width, _relu())
        self.layer1 = nn.Sequential(_ConvBlock(width, 2 * width, nn.MaxPool2d(2)), _relu(), _Residual(2 * width))
        self.layer2 = nn.Sequential(_ConvBlock(2 * width, 4 * width, nn.MaxPool2d(2)), _relu())
        self.layer3 = nn.Sequential(_ConvBlock(4 * width, 4 * width, nn.MaxPool2d(2)), _relu(), _Residual(4 * width))
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(4 * width, num_classes)

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        layer1 = self.layer1(self.stem(x))
        layer2 = self.layer2(layer1)
        return {"layer1": layer1, "layer2": layer2, "layer3": self.layer3(layer2)}


def _relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)
