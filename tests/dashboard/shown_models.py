"""Untrained models of runs, saved as runs save theirs."""

import torch

from dashboard import state
from deit_core.catalog import SOURCES
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Store


def save_checkpoints(store: Store, run_id: str, classes: tuple[str, ...] = ()) -> None:
    """What two epochs of training leave behind."""
    spec = store.run(run_id).spec
    classes = classes or SOURCES[spec.data.source].classes
    torch.manual_seed(len(spec.name))
    folder = run_folder(state.settings().runs_dir, run_id)
    card = ModelCard(
        spec=spec,
        classes=classes,
        in_chans=1,
        mean=(0.3,),
        std=(0.3,),
        data_hash="",
        epoch=2,
        step=20,
        metrics={"val_accuracy": 0.875},
    )
    for name in ("best", "last", "epochs/0001", "epochs/0002"):
        save_weights(folder / f"{name}.safetensors", build_model(spec, in_chans=1, num_classes=len(classes)), card)
