"""Runs for use elsewhere: one in another format, or all of an experiment under the names of the mini-project's models.

Loads torch inside functions alone.
"""

import io
from collections import Counter
from pathlib import Path
from typing import Any, Literal, cast

from deit_core.errors import CheckpointError, RunError
from deit_core.files import write_atomically
from deit_core.layout import run_folder
from deit_core.plain_text import file_name
from deit_core.results.model_card import model_card, role
from deit_core.results.pretrained import plain_state, save_pretrained, write_safetensors
from deit_core.runs.records import Run
from deit_core.runs.store import Store

Format = Literal["pt", "safetensors", "onnx"]


def export_checkpoint(path: Path, out: Path, file_format: Format) -> None:
    """Write a checkpoint's model in another format.

    "pt" is a plain state dict for `torch.load`, of a network of torchvision's or timm's under its names; "safetensors"
    the same without pickle; "onnx" a graph that maps images (batch, C, S, S), normalised as the card says, to logits
    (batch, classes). The first two carry a note of what their tensors do not say, for `Published.of`.

    Raises: CheckpointError where the checkpoint is missing or damaged, or ONNX's packages are not installed;
        ResourceError where the disk is full.
    """
    import torch

    from deit_core.models import load_checkpoint, network_input, read_card
    from deit_core.models.foreign.state_dicts import NOTE

    model, card = load_checkpoint(path), read_card(path)
    note = network_input(card, model).as_note()
    if file_format == "pt":
        buffer, state = io.BytesIO(), cast(Any, plain_state(model))
        state._metadata[NOTE] = note
        torch.save(state, buffer)
        write_atomically(out, buffer.getvalue())
    elif file_format == "safetensors":
        write_safetensors(model, note, out)
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


Kind = Literal["pt", "safetensors", "onnx", "card", "hub"]

SUFFIXES: dict[Kind, str] = {"pt": ".pt", "safetensors": ".safetensors", "onnx": ".onnx", "card": ".md", "hub": ""}


def export_run(run: Run, runs_dir: Path, out: Path, file_format: Kind) -> None:
    """Write the best epoch of a run in a format of `export_checkpoint`, or "card": a model card in Markdown, or "hub":
    a folder as `save_pretrained` writes it.

    Raises: CheckpointError where the run has no checkpoint yet, or it is damaged.
    """
    folder = run_folder(runs_dir, run.id)
    if file_format == "hub":
        from deit_core.attention import Viewer

        save_pretrained(Viewer.load(folder), out, results=run.results)
    elif file_format == "card":
        from deit_core.models import load_checkpoint, read_card

        write_atomically(out, model_card(read_card(folder), run.results, load_checkpoint(folder)).encode())
    else:
        export_checkpoint(folder, out, file_format)


def export_experiment(store: Store, run: Run, runs_dir: Path, out: Path, file_format: Kind) -> list[Path]:
    """Write every run of the experiment that `run` belongs to as teacher_model, ViT_model and DeiT_model in a folder.

    Where an experiment has several of a kind, their names are added: DeiT_model-soft.

    Returns: the files.
    Raises: RunError for a run that belongs to no experiment; CheckpointError where one has no checkpoint yet.
    """
    if run.experiment_id is None:
        raise RunError(f"{run.name!r} belongs to no experiment; export it by itself, without --experiment.")
    together = [other for other in store.runs() if other.experiment_id == run.experiment_id]
    counts = Counter(role(other.spec) for other in together)
    written = []
    for other in sorted(together, key=lambda one: one.number):
        kind = role(other.spec)
        name = f"{kind}_model" + (f"-{file_name(other.name)}" if counts[kind] > 1 else "")
        export_run(other, runs_dir, out / f"{name}{SUFFIXES[file_format]}", file_format)
        written.append(out / f"{name}{SUFFIXES[file_format]}")
    return written
