"""Published facts on a file of weights that its tensors do not contain: heads, sizes, pixels, and class names.

The one reader of configs: timm's and Hugging Face's `config.json` and `preprocessor_config.json`, in the folder of a
file, and the note in an export of ours. Every field is read by the tables of deit_core.models.foreign.config_fields;
a value that would compute another function than ours is refused by name.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deit_core.models.foreign import config_fields as known
from deit_core.models.foreign.configs import Config, Size, parse_config, read_config
from deit_core.models.foreign.formats import has_hub_name, weights_in
from deit_core.models.foreign.state_dicts import read_note, tensor_names

# By width, as timm, Facebook and Hugging Face have them; a file of weights does not say.
NUM_HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}

_TIMMS = ("architecture", "pretrained_cfg", "model_args", "global_pool", "label_names")  # and never Hugging Face's


@dataclass(frozen=True)
class Published:
    """None and empty where no file states it.

    Attributes:
        mean, std: per channel, of pixels in [0, 1].
        img_size: (height, width) in pixels.
        classes: names of the logits in their order; none for names such as Hugging Face's LABEL_0, which say nothing.
        in_chans: channels of the images; a network of torchvision's or timm's is shown a grey one three times.
        timm_name: timm's name of the network, where timm is needed to build it.
        stated: facts that the tensors contain too: the name of each in `Shape`, the file that states it, its value.
    """

    num_heads: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    img_size: Size | None = None
    classes: tuple[str, ...] = ()
    in_chans: int | None = None
    layer_norm_eps: float | None = None
    timm_name: str = ""
    stated: tuple[tuple[str, str, Any], ...] = ()

    @classmethod
    def of(cls, path: Path, timm_name: str = "") -> "Published":
        """The facts from the note in a file, else from the configs in its folder; for a folder, those of its weights.

        Args: timm_name: of the network that timm builds around the weights; without it they are for a network of ours.
        Raises: CheckpointError, one sentence that names the field, where a config cannot be read or asks for another
            function than is computed here; and where the file is damaged.
        """
        file = weights_in(path)
        if note := read_note(file):
            return _of_note(Config(f"The note in {file}", parse_config(note, f"The note in {file}"), known.NOTE))
        return cls.of_configs(file, timm_name) if has_hub_name(file) else cls()

    @classmethod
    def of_configs(cls, file: Path, timm_name: str = "") -> "Published":
        """The facts from the configs in the folder of `file`."""
        config = read_config(file.with_name("config.json"))
        pixels = read_config(file.with_name("preprocessor_config.json"))
        if any(name in config for name in _TIMMS):
            published = _of_timms_own(file, config, timm_name) if timm_name else _of_timm(file, config)
        else:
            published = _of_hugging_face(Config(f"config.json next to {file}", config, known.HUGGING_FACE))
        if pixels:
            source = Config(f"preprocessor_config.json next to {file}", pixels, known.HUGGING_FACE_PIXELS)
            any_size = config.get("model_type") in known.HUGGING_FACE_ANY_SIZE
            published = _with_pixels(published, source, config.get("num_channels", 3), any_size=any_size)
        return published

    def as_note(self) -> str:
        """The note in an export of ours, JSON."""
        return json.dumps({name: value for name in known.NOTE if (value := getattr(self, name))})


def _of_note(note: Config) -> Published:
    return Published(
        num_heads=note.number("num_heads"),
        mean=note.numbers("mean"),
        std=note.numbers("std"),
        img_size=note.size("img_size"),
        classes=_names(note.fields.get("classes")),
        in_chans=note.number("in_chans"),
        layer_norm_eps=note.positive("layer_norm_eps"),
        timm_name=str(note.fields.get("timm_name", "")),
    )


def _of_timms_own(file: Path, config: dict[str, Any], name: str) -> Published:
    """Of a network that timm itself builds, by its name alone."""
    top, pretrained = _timm_parts(file, config, known.TIMM_TOP)
    if str(config.get("architecture", name)).partition(".")[0] != name.partition(".")[0]:
        raise top.refused("architecture", f"and the run has model.name {name}")
    top.part("model_args", known.TIMM_NAMED_ARGS)
    return Published(mean=pretrained.numbers("mean"), std=pretrained.numbers("std"))


def _timm_parts(file: Path, config: dict[str, Any], rules: known.Fields) -> tuple[Config, Config]:
    """The whole of a config of timm's, and its part on pixels."""
    is_old = "pretrained_cfg" not in config  # its fields are then next to the others
    top = Config(f"config.json next to {file}", config, (known.TIMM_PRETRAINED if is_old else {}) | rules)
    return top, top if is_old else top.part("pretrained_cfg", known.TIMM_PRETRAINED)


def _of_timm(file: Path, config: dict[str, Any]) -> Published:
    is_vit = any(name.endswith(("pos_embed", "position_embeddings")) for name in tensor_names(file))
    args_rules = known.TIMM_VIT_ARGS if is_vit else known.TIMM_CNN_ARGS
    rules = known.TIMM_TOP | {"global_pool": args_rules["global_pool"]}
    top, pretrained = _timm_parts(file, config, rules)
    args = top.part("model_args", args_rules)
    named = config.get("architecture")
    plain = (known.TIMM_VIT if is_vit else known.TIMM_CNN).fullmatch(str(named))
    if named is not None and not plain:
        kind = "plain ViT or DeiT" if is_vit else "ResNet-18 or ResNet-50"
        raise top.refused("architecture", f"which is not a {kind} of timm's")
    numbers = ("embed_dim", "depth", "patch_size", "in_chans", "num_classes", "mlp_ratio", "qkv_bias", "fc_norm")
    ours = {"layer_scale": "init_values", "num_registers": "reg_tokens", "prefix_positions": "no_embed_class"}
    stated = (
        top.stated(num_classes="num_classes")
        + args.stated(**{name: name for name in numbers}, **ours)
        + (args.stated(pool="global_pool") + top.stated(pool="global_pool") if is_vit else ())
        + (args.stated(img_size="img_size") or pretrained.stated(img_size="input_size"))
    )
    return Published(
        num_heads=args.number("num_heads") or (known.TIMM_HEADS[plain["size"]] if plain and is_vit else None),
        mean=pretrained.numbers("mean"),
        std=pretrained.numbers("std"),
        img_size=args.size("img_size") or pretrained.size("input_size"),
        classes=_names(config.get("label_names") or pretrained.fields.get("label_names")),
        layer_norm_eps=1e-6 if is_vit else None,
        stated=stated,
    )


def _of_hugging_face(config: Config) -> Published:
    kind = config.fields.get("model_type")
    if not config.fields:
        return Published()
    heads = config.number("num_attention_heads") or (known.HUGGING_FACE_HEADS if kind else None)
    is_dino = kind in known.HUGGING_FACE_ANY_SIZE
    width, head_dim = config.number("hidden_size"), config.number("head_dim")
    if head_dim and width and heads and head_dim * heads != width:
        raise config.refused("head_dim", f"and the width, {width}, must be a multiple of the number of heads here")
    return Published(
        num_heads=heads,
        img_size=config.size("image_size"),
        classes=_names(config.fields.get("id2label")),
        layer_norm_eps=config.positive("layer_norm_eps") or known.HUGGING_FACE_EPS[kind or "vit"],
        stated=config.stated(
            embed_dim="hidden_size",
            depth="num_hidden_layers",
            hidden_dim="intermediate_size",
            mlp_ratio="mlp_ratio",
            num_registers="num_register_tokens",
            patch_size="patch_size",
            in_chans="num_channels",
            qkv_bias="qkv_bias",
            num_classes="num_labels",
            img_size="image_size",
        )
        + ((("layer_scale", f'{config.origin} says model_type "{kind}", so LayerScale is', is_dino),) if kind else ()),
    )


def _with_pixels(published: Published, source: Config, channels: int, *, any_size: bool) -> Published:
    """With the pixels of an image processor: p in [0, 1] becomes (255 p rescale_factor - mean) / std.

    Args: any_size: whether the library resamples positions where the processor's images have another size.
    """
    fields = source.fields
    custom = (known.HUGGING_FACE_MEAN,) * channels
    mean, std = (source.numbers(name, channels) or custom for name in ("image_mean", "image_std"))
    if fields.get("do_normalize") is False:
        mean, std = (0.0,) * len(mean), (1.0,) * len(std)
    factor = 1.0 if fields.get("do_rescale") is False else source.positive("rescale_factor") or 1 / 255
    scale = round(255 * factor, 6)
    size = _final_size(source)
    if size and published.img_size and size != published.img_size and not any_size:
        field = "crop_size" if fields.get("do_center_crop") else "size"
        raise source.refused(
            field, f"and the model reads images of {published.img_size[0]} x {published.img_size[1]} pixels"
        )
    mean, std = (tuple(value / scale for value in values) for values in (mean, std))
    return replace(published, mean=mean, std=std, img_size=published.img_size or size)


def _final_size(source: Config) -> Size | None:
    """The size of its output images; None where that depends on the image."""
    for name, does in (("crop_size", "do_center_crop"), ("size", "do_resize")):
        value = source.fields.get(name)
        if not source.fields.get(does, does == "do_resize") or value is None:
            continue
        if isinstance(value, dict):
            sides = (value.get("height"), value.get("width"))
            return (sides[0], sides[1]) if isinstance(sides[0], int) and isinstance(sides[1], int) else None
        return source.size(name)
    return None


def _names(values: Any) -> tuple[str, ...]:
    """Class names, from a list or from numbers to names; none where a number is left out or a name means nothing."""
    if isinstance(values, Mapping):
        values = [values.get(str(index)) for index in range(len(values))]
    if not isinstance(values, list) or not all(isinstance(name, str) for name in values):
        return ()
    return () if any(re.fullmatch(r"LABEL_\d+", name) for name in values) else tuple(values)
