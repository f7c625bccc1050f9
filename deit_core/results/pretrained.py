"""A model as a folder in the layout of Hugging Face's Hub, and back: weights, configs and a model card. No network.

timm and transformers read such a folder where they have the network; the card says so. Loads torch inside functions
alone.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deit_core.errors import CheckpointError
from deit_core.files import write_atomically
from deit_core.layout import BEST, SPEC
from deit_core.results.hub_configs import config, preprocessor_config, timm_network
from deit_core.results.markdown import plain
from deit_core.results.model_card import model_card, pixels

if TYPE_CHECKING:
    from torch import nn

    from deit_core.attention import Viewer
    from deit_core.models.foreign.published import Published

_WEIGHTS = "model.safetensors"


def save_pretrained(viewer: "Viewer", folder: Path | str, *, results: Mapping[str, float] | None = None) -> None:
    """Write a model into a folder: model.safetensors, config.json, preprocessor_config.json, and README.md, its card.

    Args:
        folder: made where it is missing; its files of these names are replaced.
        results: further numbers for the card, such as those of the test.
    Raises: CheckpointError for the folder of a run; ResourceError where the disk is full.
    """
    from deit_core.models import ModelCard, network_input, save_weights
    from deit_core.models.adapted_classifier import AdaptedClassifier

    folder, model, card = Path(folder), viewer.model, viewer.card
    if (folder / BEST).exists() or (folder / SPEC).exists():
        raise CheckpointError(f"{folder} is the folder of a run; choose another, so that the run stays as it is.")
    published = network_input(card, model)
    texts = {
        "config.json": json.dumps(config(model, published), indent=2) + "\n",
        "preprocessor_config.json": json.dumps(preprocessor_config(published), indent=2) + "\n",
        "README.md": _readme(viewer, published, results or {}),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())
    if isinstance(card, ModelCard) and not isinstance(model, AdaptedClassifier):
        save_weights(folder / _WEIGHTS, model, card)
    else:
        write_safetensors(model, published.as_note(), folder / _WEIGHTS)


def from_pretrained(folder: Path | str) -> "Viewer":
    """The model of a folder that `save_pretrained` has written, ours, timm's or transformers'. Nothing is downloaded.

    Raises: CheckpointError where there is no such folder, or its files are damaged or of a kind that is not read.
    """
    from deit_core.attention import Viewer

    if not Path(folder).is_dir():
        raise CheckpointError(
            f"There is no folder {folder}, and nothing is downloaded here; give the path of a folder with "
            f"{_WEIGHTS} and config.json."
        )
    return Viewer.load(folder)


def write_safetensors(model: "nn.Module", note: str, out: Path) -> None:
    """Write `plain_state` with a note: see `Published.of`."""
    from safetensors.torch import save

    from deit_core.models.foreign.state_dicts import NOTE

    tensors = {name: tensor.contiguous() for name, tensor in plain_state(model).items()}
    write_atomically(out, save(tensors, metadata={"format": "pt", NOTE: note}))


def plain_state(model: "nn.Module") -> dict[str, Any]:
    """The tensors by name, of another library's network under its names.

    Raises: CheckpointError for a ViT that others would read as another network than it is.
    """
    if not getattr(model, "is_published_kind", True):
        raise CheckpointError(
            "A ViT without skip connections or positions has the tensors of one that has them, and other programs "
            "would compute something else with them; export it as onnx, or use the run's own checkpoint."
        )
    state: dict[str, Any] = (model.get_submodule("network") if hasattr(model, "network") else model).state_dict()
    return state


def _readme(viewer: "Viewer", published: "Published", results: Mapping[str, float]) -> str:
    """The card with the Hub's facts on top, and how to load the model."""
    from deit_core.models import ModelCard

    model, card = viewer.model, viewer.card
    is_timms = timm_network(model) is not None
    facts = ["---", f"library_name: {'timm' if is_timms else 'deit_lab'}", "pipeline_tag: image-classification", "---"]
    if isinstance(card, ModelCard):
        body = model_card(card, results, model).rstrip("\n")
    else:
        assert published.img_size is not None
        reads = pixels(len(published.mean), published.img_size[0], published.mean, published.std)
        num_params = sum(parameter.numel() for parameter in model.parameters())
        classes = ", ".join(map(plain, card.classes))
        body = "\n\n".join(
            [
                f"# {plain(card.name)}",
                f"A model of {num_params:,} parameters, from a file that DeiT Lab has not written.",
                f"Classes, in the order of the logits: {classes}.",
                f"Input: {reads}.",
            ]
        )
    return "\n".join(facts) + f"\n\n{body}\n\n" + "\n\n".join(_how_to_load(is_timms, published)) + "\n"


def _how_to_load(is_timms: bool, published: "Published") -> Iterator[str]:
    yield "## Load"
    yield "    from deit_core import from_pretrained\n    viewer = from_pretrained('FOLDER')"
    if not is_timms:
        yield "No other library has this network."
        return
    yield "    import timm\n    model = timm.create_model('local-dir:FOLDER', pretrained=True).eval()"
    yield "transformers reads it through timm: `AutoModelForImageClassification.from_pretrained('FOLDER')`."
    if published.layer_norm_eps not in (None, 1e-6):
        yield (
            f"Its layer norms add {published.layer_norm_eps:g} to variances, and timm's add 1e-06, so logits differ a "
            "little there."
        )
    yield (
        "DeiT Lab cuts a picture to the square in its middle, which the configs cannot say: other libraries may see a "
        "picture that is not square otherwise."
    )
