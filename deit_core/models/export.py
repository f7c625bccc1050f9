"""A checkpoint for use elsewhere: a plain state dict, safetensors, or ONNX."""

import io
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save

from deit_core.errors import CheckpointError
from deit_core.files import write_atomically
from deit_core.models.foreign.state_dicts import NOTE
from deit_core.models.weights import load_checkpoint, read_card

Format = Literal["pt", "safetensors", "onnx"]


def export_checkpoint(path: Path, out: Path, file_format: Format) -> None:
    """Write a checkpoint's model in another format.

    "pt" is a plain state dict for `torch.load`, of a CNN of torchvision's under its names; "safetensors" the same
    without pickle; "onnx" a graph that maps images (batch, C, S, S), normalised as the card says, to logits (batch,
    classes). The first two carry a note of what their tensors do not say, for `Published.of`.

    Raises: CheckpointError where the checkpoint is missing or damaged, or ONNX's packages are not installed;
        ResourceError where the disk is full.
    """
    model, card = load_checkpoint(path), read_card(path)
    state: Any = (model.get_submodule("network") if hasattr(model, "network") else model).state_dict()
    note = card.network_input().as_note()
    if file_format == "pt":
        buffer = io.BytesIO()
        state._metadata[NOTE] = note
        torch.save(state, buffer)
        write_atomically(out, buffer.getvalue())
    elif file_format == "safetensors":
        tensors = {name: tensor.contiguous() for name, tensor in state.items()}
        write_atomically(out, save(tensors, metadata={"format": "pt", NOTE: note}))
    else:
        size = card.spec.data.img_size
        try:
            program = torch.onnx.export(
                model,
                (torch.zeros(2, card.in_chans, size, size),),
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
        assert program is not None  # with dynamo
        write_atomically(out, program.model_proto.SerializeToString())
