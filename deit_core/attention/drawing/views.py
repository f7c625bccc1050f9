"""The views of a model's attention for one picture, each as cells, for the page and the command alike.

Knows what a spec asks of a model; nothing of colours, files or pages.

Shapes: L layers, H heads, gh x gw patches, N tokens = P prefix + patches.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from deit_core.attention.drawing.cells import Cell, Map
from deit_core.attention.flow.audit import Audit
from deit_core.attention.flow.head_maps import head_maps
from deit_core.attention.flow.options import following, fusing, patch_token
from deit_core.attention.flow.prepared import PatchMap, PreparedRollout
from deit_core.attention.look import Look
from deit_core.attention.methods.table import METHODS
from deit_core.catalog import HEAD_FUSIONS, VARIANT_RATIOS, TokenName, ViewName
from deit_core.errors import DeitError
from deit_core.models import Reading
from deit_core.spec import RolloutSpec

_TITLES = {"head": "Output", "class": "Class token", "distillation": "Distillation token"}
_OF_ROLLOUT = ("head_fusion", "discard_ratio", "scope", "layers", "residual", "row_norm", "compat")  # of a spec


class Subject(Protocol):
    """A model that looks at one picture. The page keeps its results from one click to the next."""

    @property
    def card(self) -> Reading: ...

    @property
    def look(self) -> Look:
        """Raises: DeitError for a model without attention."""

    def prepared(self, *, head_fusion: str | int, scope: str) -> PreparedRollout: ...

    def explain(self, method: str, *, query: str | int, target: int | None) -> Map: ...


class View(NamedTuple):
    """The cells of a view by rows, the titles of the rows, and whether the maps lie over the picture."""

    rows: Sequence[Sequence[Cell]]
    row_titles: Sequence[str] = ()
    over_picture: bool = True


def view(subject: Subject, spec: RolloutSpec, name: ViewName, *, is_distilled: bool) -> View:
    """A view of a picture; a film is one such view per epoch.

    Raises: DeitError where the model does not have what the spec asks for.
    """
    tokens = tokens_of(spec, is_distilled=is_distilled)
    first = tokens[0]
    match name:
        case "depth":
            return View([depth_cells(subject.look, rollout_of(subject, spec, first).trace)])
        case "heads":
            rows = head_cells(subject, spec, first)
            return View(rows, [f"Layer {layer}" for layer in range(1, len(rows) + 1)], over_picture=False)
        case "variants":
            return View(variant_cells(subject, spec, first), HEAD_FUSIONS)
        case _:
            return View([[token_cell(subject, spec, token) for token in tokens]])


def tokens_of(spec: RolloutSpec, *, is_distilled: bool) -> tuple[TokenName, ...]:
    """The tokens that a spec traces in a model; the first one stands for all where a view shows a single one."""
    if spec.query == "outputs":
        return ("head", "class", "distillation", "difference") if is_distilled else ("head",)
    return (spec.query,)


def token_cell(subject: Subject, spec: RolloutSpec, token: TokenName) -> Cell:
    """The map of one token, or of the difference of a DeiT's class and distillation token."""
    if token == "difference":
        first, second = (token_cell(subject, spec, one).values for one in ("class", "distillation"))
        return Cell("Class - distillation", first - second, "difference")
    title = _TITLES.get(token, f"Row {spec.row}, column {spec.column}")
    method = spec.method or "rollout"
    if method == "rollout":
        result = rollout_of(subject, spec, token)
        return Cell(title, result.values, degenerate=result.degenerate)
    target = None if spec.target is None else subject.card.class_index(spec.target)
    values = subject.explain(method, query=query_of(subject, spec, token), target=target)
    return Cell(title, values, "teacher" if method == "grad_cam" else "attention", degenerate=not values.any())


def query_of(subject: Subject, spec: RolloutSpec, token: TokenName) -> str | int:
    """The query of `rollout` for a token."""
    return patch_token(spec, subject.look.sizes) if token == "patch" else token


def rollout_of(subject: Subject, spec: RolloutSpec, token: TokenName) -> PatchMap:
    """The rollout of one token. Raises: DeitError for a layer, head or token that the model does not have."""
    sizes = subject.look.sizes
    prepared = subject.prepared(**fusing(spec, sizes))
    return prepared.map(query=subject.look.query(query_of(subject, spec, token)), **following(spec, sizes))


def rollout_options(subject: Subject, spec: RolloutSpec) -> dict[str, Any]:
    """What `rollout` takes of a spec, but for the query. Raises: DeitError, as `rollout_of`."""
    sizes = subject.look.sizes
    return fusing(spec, sizes) | following(spec, sizes)


def audit_of(subject: Subject, spec: RolloutSpec, token: TokenName) -> Audit:
    """What the discard leaves of each layer in the rollout of one token. Raises: DeitError, as `rollout_of`."""
    sizes = subject.look.sizes
    prepared = subject.prepared(**fusing(spec, sizes))
    return prepared.audit(query=subject.look.query(query_of(subject, spec, token)), **following(spec, sizes))


def depth_cells(look: Look, trace: Map) -> list[Cell]:
    """Where the traced information sits below each layer, the last first; `trace` (L, N) is of a rollout."""
    return [
        Cell(f"Below layer {len(trace) - step}", shares[look.num_prefix_tokens :].reshape(look.grid_size))
        for step, shares in enumerate(trace)
    ]


def head_cells(subject: Subject, spec: RolloutSpec, token: TokenName) -> list[list[Cell]]:
    """What a token attends to by each head of each layer, L rows of H cells."""
    look = subject.look
    maps = head_maps(
        look.attention[:, :1],
        num_prefix_tokens=look.num_prefix_tokens,
        grid_size=look.grid_size,
        query=look.query(query_of(subject, spec, token)),
    )[:, 0].numpy()  # L H gh gw
    return [[Cell(f"Head {head}", values) for head, values in enumerate(layer, start=1)] for layer in maps]


def variant_cells(subject: Subject, spec: RolloutSpec, token: TokenName) -> list[list[Cell]]:
    """The same rollout under every fusion and several discard ratios, a row for each fusion."""
    rows = []
    for row in variants(spec):
        result = [(variant.discard_ratio, rollout_of(subject, variant, token)) for variant in row]
        rows.append([Cell(f"Discard {ratio:g}", one.values, degenerate=one.degenerate) for ratio, one in result])
    return rows


def variants(spec: RolloutSpec) -> list[list[RolloutSpec]]:
    """The specs that `variant_cells` draws, in its order."""
    return [
        [spec.with_changes(head_fusion=fusion, discard_ratio=ratio) for ratio in VARIANT_RATIOS]
        for fusion in HEAD_FUSIONS
    ]


def file_settings(
    view: str, spec: RolloutSpec, *, models: Sequence[Mapping[str, Any]], pictures: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a file says of how it was made, so that it can be made again.

    Args:
        view: its name, such as "maps".
        models: of each its title, checkpoint (a path) and epoch.
        pictures: of each what it is (a path, or a name), its true class if that is known, and whether it is inverted.
    """
    return {"view": view, "rollout": spec.model_dump(mode="json"), "models": [*models], "pictures": [*pictures]}


def check_view(spec: RolloutSpec, name: ViewName) -> None:
    """Refuse a view that the method does not have, and an option on which nothing that is drawn depends.

    Args: spec: with its method set.
    Raises: DeitError.
    """
    assert spec.method is not None
    if name not in ("maps", "film") and spec.method != "rollout":
        raise DeitError(f"The view {name} is of a rollout, not of {spec.method}; choose the view maps.")
    unused = [] if METHODS[spec.method].facts.class_specific else ["target"]
    if spec.method != "rollout" or name == "heads":
        unused += _OF_ROLLOUT
    elif name == "variants":
        unused += ["head_fusion", "discard_ratio"]
    fields = type(spec).model_fields
    if changed := [field for field in unused if getattr(spec, field) != fields[field].default]:
        raise DeitError(
            f"The {name} of {spec.method} do not depend on {' or '.join(changed)}; leave that out, or choose another "
            "method or view."
        )
