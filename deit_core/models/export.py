"""A checkpoint for use elsewhere: a plain state dict, safetensors, or ONNX."""

import io
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save

from deit_core.errors import CheckpointError
from deit_core.files import write_atomically
from deit_core.models.weights import load_checkpoint, read_card

Format = Literal["pt", "safetensors", "onnx"]


def export_checkpoint(path: Path, out: Path, file_format: Format) -> None:
    """Write a checkpoint's model in another format.

    "pt" is a plain state dict for `torch.load`, of a CNN of torchvision's under its names; "safetensors" the same
    without pickle; "onnx" a graph that maps
    normalised images (batch, C, S, S) to logits (batch, classes).

    Raises: CheckpointError where the checkpoint is missing or damaged, or ONNX's packages are not installed.
    """
    model = load_checkpoint(path)
    state = (model.get_submodule("network") if hasattr(model, "network") else model).state_dict()
    buffer = io.BytesIO()
    if file_format == "pt":
        torch.save(state, buffer)
        write_atomically(out, buffer.getvalue())
    elif file_format == "safetensors":
        write_atomically(out, save({name: tensor.contiguous() for name, tensor in state.items()}))
    else:
        card = read_card(path)
        size = card.spec.data.img_size
        try:
            torch.onnx.export(
                model,
                (torch.zeros(2, card.in_chans, size, size),),
                out,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except ModuleNotFoundError as error:
            raise CheckpointError(
                f"ONNX export needs {error.name}; install it with `pip install onnx onnxscript`."
            ) from None
