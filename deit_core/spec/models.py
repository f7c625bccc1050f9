"""Which model, by family."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from deit_core.metrics import MAX_BLOCKS
from deit_core.spec.fields import Part, divisors, field


class VisionTransformerSpec(Part):
    """A ViT; with `distilled` a DeiT, which has a distillation token and a second head."""

    family: Literal["vit"] = field("vit", "Vision Transformer.")
    distilled: bool = field(False, "Adds the distillation token and its head: the DeiT student.")
    patch_size: int = field(4, "Side of the square patches that an image is cut into.", unit="px", ge=1, le=64)
    embed_dim: int = field(64, "Width of every token.", ge=8, le=2048)
    depth: int = field(6, "Number of transformer blocks.", ge=1, le=MAX_BLOCKS)
    num_heads: int = field(4, "Attention heads per block; must divide the width.", ge=1, le=32, advanced=True)
    mlp_ratio: float = field(
        2.0, "Hidden width of a block's MLP, in multiples of the width.", gt=0, le=8, advanced=True
    )
    drop_rate: float = field(0.0, "Dropout on positions, attention output and MLP.", ge=0, lt=1, advanced=True)
    attn_drop_rate: float = field(0.0, "Dropout on the attention weights.", ge=0, lt=1, advanced=True)
    drop_path_rate: float = field(
        0.0,
        "Stochastic depth: chance that the last block is skipped; earlier blocks are skipped less often.",
        ge=0,
        lt=1,
        advanced=True,
    )
    layer_scale: float | None = field(
        None,
        "LayerScale: each channel of a residual branch is multiplied by a number that is learned, at first by this. "
        "DeiT III has 1e-4 for base and larger models, DINOv2 1e-5. Empty: no LayerScale.",
        gt=0,
        le=1,
        advanced=True,
    )
    num_registers: int = field(
        0,
        "Register tokens: tokens that no head reads, in which a model can keep what belongs to no patch. DINOv2 has 4.",
        ge=0,
        le=64,
        advanced=True,
    )
    prefix_positions: bool = field(
        True,
        "The class, distillation and register tokens have positions too. Off: patches alone have them, as in DeiT III.",
        advanced=True,
    )
    positions: Literal["learned", "none"] = field(
        "learned",
        "none: tokens without positions. The model then treats the patches as a set, and their order changes nothing. "
        "For lessons.",
        advanced=True,
    )
    skip_connections: bool = field(
        True,
        "Each half of a block adds to its input, as in every published model. Off: it replaces its input. For lessons.",
        advanced=True,
    )
    pool: Literal["class", "mean", "both"] = field(
        "class",
        "What the head reads: the class token (class), the mean of the patches (mean), or both side by side (both). A "
        "fine-tuned MAE has mean, DINOv2 both. A DeiT's heads read their tokens.",
        advanced=True,
    )

    @model_validator(mode="after")
    def _heads_of_a_deit_read_tokens(self) -> Self:
        if self.distilled and self.pool != "class":
            raise ValueError(
                f"pool {self.pool} is for a model with one head; set pool to class, or distilled to false."
            )
        return self

    @model_validator(mode="after")
    def _only_a_branch_is_skipped(self) -> Self:
        if self.drop_path_rate and not self.skip_connections:
            raise ValueError(
                "Without skip connections nothing is left of a block that stochastic depth skips; set drop_path_rate "
                "to 0, or skip_connections to true."
            )
        return self

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} cannot be shared by {self.num_heads} heads; "
                f"choose num_heads among {divisors(self.embed_dim, 32)} or another embed_dim."
            )
        return self


class PlainCnnSpec(Part):
    """A CNN of two convolutions and one linear layer: a teacher that may be weaker than its student."""

    family: Literal["cnn"] = field("cnn", "Convolutional network of two convolutions.")
    width: int = field(16, "Channels of the first convolution; the second has twice as many.", ge=1, le=256)


class ResNet9Spec(Part):
    """The CNN teacher: a ResNet of nine layers for small images."""

    family: Literal["resnet9"] = field("resnet9", "Convolutional network.")
    width: int = field(32, "Channels of the first layer; later layers have 2 and 4 times as many.", ge=4, le=256)


_FREEZE_BACKBONE = field(
    False,
    "Trains only the new head; all other weights and the batch norm statistics stay as pretrained. "
    "Off: everything is fine-tuned.",
)
_INPUT_SIZE = field(
    None,
    "The network first resizes images to this size, for example 224 for ImageNet weights; empty: no resizing.",
    unit="px",
    ge=8,
    le=512,
)


class TorchvisionSpec(Part):
    """A CNN teacher of torchvision's, with a head for the data set's classes."""

    family: Literal["torchvision"] = field("torchvision", "Convolutional network of torchvision's.")
    name: Literal[
        "resnet18",
        "resnet50",
        "regnet_y_400mf",
        "regnet_y_800mf",
        "regnet_y_1_6gf",
        "regnet_y_3_2gf",
        "regnet_y_8gf",
        "regnet_y_16gf",
    ] = field("resnet18", "The network, by torchvision's name. DeiT's own teacher was a RegNetY-16GF.")
    pretrained: Literal["off", "imagenet"] = field(
        "off",
        "Whether the network starts from torchvision's ImageNet weights (imagenet) or from scratch (off). The weights "
        "are read from initial_checkpoint if that names a file, else from torchvision's cache or a download; images "
        "are then normalised like ImageNet's.",
    )
    freeze_backbone: bool = _FREEZE_BACKBONE
    input_size: int | None = _INPUT_SIZE


class TimmSpec(Part):
    """A teacher that is any classifier of timm's, with a head for the data set's classes.

    Its weights, if it has any, are those of `initial_checkpoint`.
    """

    family: Literal["timm"] = field("timm", "Network of timm's.")
    name: str = field(
        "tf_efficientnet_lite0",
        "The network, by timm's name. Images are normalised as timm publishes it, or as the config beside the file in "
        "initial_checkpoint says. Without such a file the network starts from scratch.",
        min_length=1,
        max_length=100,
    )
    freeze_backbone: bool = _FREEZE_BACKBONE
    input_size: int | None = _INPUT_SIZE


LibrarySpec = TorchvisionSpec | TimmSpec
ModelSpec = Annotated[
    VisionTransformerSpec | PlainCnnSpec | ResNet9Spec | TorchvisionSpec | TimmSpec, Field(discriminator="family")
]
