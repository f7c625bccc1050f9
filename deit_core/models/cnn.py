"""ResNet-9, the CNN teacher: nine layers for small images, tensors in, logits out.

Source of the shape: Coleman et al.'s DAWNBench entries as refined by D. Page ("How to train your ResNet", 2018).
"""

from torch import Tensor, nn

STRIDES = {"layer1": 2, "layer2": 4, "layer3": 8}  # pixels per cell of each stage, down and across


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


class ResNet9(nn.Module):
    """(B, C, height, width) -> logits (B, classes). Under 0.8M parameters at the default width.

    Each stage halves height and width; pooling drops an odd last row or column.

    Args:
        width: channels of the first layer; the later ones have 2 and 4 times as many.
    """

    def __init__(self, in_chans: int = 3, num_classes: int = 1000, width: int = 32) -> None:
        super().__init__()
        self.in_chans, self.num_classes = in_chans, num_classes
        # Pooling before ReLU gives the same bits as after it, and leaves ReLU a quarter of the numbers.
        self.stem = _ConvBlock(in_chans, width, _relu())
        self.layer1 = nn.Sequential(_ConvBlock(width, 2 * width, nn.MaxPool2d(2)), _relu(), _Residual(2 * width))
        self.layer2 = nn.Sequential(_ConvBlock(2 * width, 4 * width, nn.MaxPool2d(2)), _relu())
        self.layer3 = nn.Sequential(_ConvBlock(4 * width, 4 * width, nn.MaxPool2d(2)), _relu(), _Residual(4 * width))
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(4 * width, num_classes)

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, height, width) -> features (B, chans, height // stride, width // stride) by stage, as in `STRIDES`."""
        layer1 = self.layer1(self.stem(x))
        layer2 = self.layer2(layer1)
        return {"layer1": layer1, "layer2": layer2, "layer3": self.layer3(layer2)}

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, height, width) -> features (B, chans, height // 8, width // 8) of the last stage."""
        return self.forward_stages(x)["layer3"]

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


def _relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)
