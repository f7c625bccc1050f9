"""The weights that a run starts from: those of another run, of a foreign file, or torchvision's pretrained ones.

Knows specs, models and files; nothing of optimisers or of steps.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from deit_core.errors import CheckpointError
from deit_core.files import is_there
from deit_core.layout import RunFiles, run_folder
from deit_core.models.adapted_classifier import AdaptedClassifier
from deit_core.models.foreign.name_tables import under_timms_names
from deit_core.models.foreign.published import NUM_HEADS, Published
from deit_core.models.foreign.state_dicts import parts_of, read_state_dict
from deit_core.models.foreign.transfer import Shape, transfer
from deit_core.models.foreign.vit_files import read_vit
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.models.vit import VisionTransformer
from deit_core.models.weights import ModelCard, is_foreign, read_card, read_weights, weights_file
from deit_core.spec import RunSpec, TorchvisionSpec, VisionTransformerSpec, value_text
from deit_core.text.quoting import quoted

_MAX_EPS = 1e-5  # of layer norms: below, no logit differs by more than a rounding from what 1e-6 gives


def initialise(
    model: nn.Module, spec: RunSpec, classes: tuple[str, ...], runs_dir: Path, data_hash: str = ""
) -> tuple[str, ...]:
    """Load the weights that the spec of a new run starts from; without any the model stays as it is.

    Heads are kept if the classes are the same: for a run made here by name, for other files by number.

    Args:
        model: built from `spec`, and just initialised.
        classes: the class names of the run's data.
        runs_dir: where a run named by its id is looked for.
        data_hash: of the images that validation is drawn from: detects a moved or changed folder.
    Returns: sentences on facts that the weights do not contain and that were assumed.
    Raises: CheckpointError where the weights are not there, damaged, of another architecture, or have learned from
        images that this run is evaluated on.
    """
    notes: tuple[str, ...] = ()
    if spec.initial_checkpoint:
        path = find_checkpoint(spec.initial_checkpoint, runs_dir)
        if not is_foreign(path):
            _start_from_run(model, path, spec, classes, data_hash)
        elif isinstance(model, VisionTransformer):
            vit = read_vit(path)
            if vit.layer_norm_eps > _MAX_EPS:
                raise CheckpointError(
                    f"{path} has layer_norm_eps {vit.layer_norm_eps:g}, and a model here has 1e-6, which computes "
                    "different values; choose another checkpoint."
                )
            transfer(vit.state, model, str(path), shape=vit.shape)
            notes = _check_heads(path, model, vit.published.num_heads)
        elif isinstance(model, TimmClassifier):
            published = Published.of(path, model.name)
            _load_cnn(under_timms_names(read_state_dict(path)), model.network, str(path), model.heads)
            if published.mean and published.std:
                model.read_pixels(published.mean, published.std, in_chans=model.in_chans)
        else:
            Published.of(path)  # its config may refuse
            _load_cnn(read_state_dict(path), _network(model), str(path), _heads(model))
    elif isinstance(spec.model, TorchvisionSpec) and spec.model.pretrained == "imagenet":
        from deit_core.models.torchvision_classifier import imagenet_weights  # loads torchvision

        origin = f"torchvision's {spec.model.name}"
        _load_cnn(imagenet_weights(spec.model.name), _network(model), origin, _heads(model))
    return notes


def hash_checkpoint(path: Path) -> str:
    """A SHA-256 of a checkpoint: a file, the files that an index names, a run's best weights, or a folder."""
    digest = hashlib.sha256()
    for file in _content(path):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _content(path: Path) -> list[Path]:
    if path.is_file():
        return [path, *parts_of(path)]
    best = RunFiles(path).best
    return [best] if best.is_file() else sorted(file for file in path.iterdir() if file.is_file())


def find_checkpoint(name: str, runs_dir: Path) -> Path:
    """The path of a spec's `initial_checkpoint`: a run's folder in `runs_dir`, else a path.

    Raises: CheckpointError where neither exists.
    """
    for path in (run_folder(runs_dir, name), Path(name)):
        if is_there(path):
            return path
    raise CheckpointError(
        f"The initial_checkpoint {quoted(name)} is neither a run in {runs_dir} nor a file; set it to the id of a "
        "finished run or to the path of a checkpoint, or leave it empty."
    )


def _start_from_run(model: nn.Module, path: Path, spec: RunSpec, classes: tuple[str, ...], data_hash: str) -> None:
    card, file = read_card(path), weights_file(path)
    _check_card(card, spec, data_hash)
    state, keep_heads = read_weights(file), card.classes == classes
    if isinstance(model, VisionTransformer):
        side = card.spec.data.img_size
        transfer(
            state,
            model,
            str(file),
            keep_heads=keep_heads,
            shape=Shape.of(state, str(file), (side, side), "its card says so"),
        )
    else:
        inside = "network." if isinstance(model, AdaptedClassifier) else ""
        _load_cnn(state, model, str(file), tuple(inside + head for head in _heads(model)), keep_heads=keep_heads)


def _check_card(card: ModelCard, spec: RunSpec, data_hash: str) -> None:
    theirs, ours = card.spec.model, spec.model
    origin = f"The initial_checkpoint is of the run {card.spec.name!r}"
    if theirs.family != ours.family:
        raise CheckpointError(
            f"{origin}, a {theirs.family} and not a {ours.family}; choose a run of the same kind of model."
        )
    if (
        isinstance(theirs, VisionTransformerSpec)
        and isinstance(ours, VisionTransformerSpec)
        and theirs.num_heads != ours.num_heads
    ):  # the weights would fit all the same
        raise CheckpointError(
            f"{origin}, which has {theirs.num_heads} attention heads per block and not {ours.num_heads}; "
            f"set model.num_heads to {theirs.num_heads}."
        )
    if isinstance(theirs, VisionTransformerSpec) and isinstance(ours, VisionTransformerSpec):
        if "none" in (theirs.positions, ours.positions):
            raise CheckpointError(
                f"{origin}; a run can start from another only where both models have positions (model.positions)."
            )
        if theirs.skip_connections != ours.skip_connections:
            raise CheckpointError(
                f"{origin}, whose model.skip_connections is {value_text(theirs.skip_connections)}; set it to the same."
            )
    if overlap := card.learned_held_back(spec.data, data_hash):
        why, remedy = overlap
        raise CheckpointError(
            f"{origin}, which {why}, so it has learned images that this run is evaluated on; {remedy}."
        )


def _check_heads(path: Path, model: VisionTransformer, noted: int | None) -> tuple[str, ...]:
    """Tensors do not contain the number of heads: a note states it, else the number in the spec is used."""
    usual = NUM_HEADS.get(model.embed_dim)
    if noted is not None and noted != model.num_heads:
        raise CheckpointError(
            f"{path} or its config states {noted} attention heads per block, but the model has "
            f"{model.num_heads}; set model.num_heads to {noted}."
        )
    if noted is None and usual not in (None, model.num_heads):
        return (
            f"{path} does not say how many attention heads its blocks have. This run uses {model.num_heads}, as "
            f"in model.num_heads; {usual} are usual for its width of {model.embed_dim}.",
        )
    return ()


def _network(model: nn.Module) -> nn.Module:
    """The part of a model that foreign files contain: the library's own network, else the model."""
    return model.network if isinstance(model, AdaptedClassifier) else model


def _heads(model: nn.Module) -> tuple[str, ...]:
    """The modules that give the logits, of the library's own network, else of a ResNet9."""
    return model.heads if isinstance(model, AdaptedClassifier) else ("head",)


def _load_cnn(
    state: Mapping[str, Tensor], model: nn.Module, origin: str, heads: tuple[str, ...], *, keep_heads: bool = True
) -> None:
    """Load weights into a model of the same architecture, except the heads where they are for another number of
    classes.
    """
    own = model.state_dict()
    in_heads = {name for name in own if name.startswith(tuple(f"{head}." for head in heads))}
    # Files from before torch 0.4.1, some of torchvision's too, have no batch counters; they are not needed here.
    counters = {name: tensor for name, tensor in own.items() if name.endswith(".num_batches_tracked")}
    adapted = counters | dict(state)
    if not keep_heads or any(name in state and len(state[name]) != len(own[name]) for name in in_heads):
        adapted |= {name: own[name] for name in in_heads}
    differing = own.keys() ^ adapted.keys()
    differing |= {name for name in own.keys() & adapted.keys() if own[name].shape != adapted[name].shape}
    if differing:
        raise CheckpointError(
            f"{origin} is of another architecture: {len(differing)} tensors differ, such as {min(differing)}; "
            "choose weights of the same model."
        )
    model.load_state_dict(adapted)
