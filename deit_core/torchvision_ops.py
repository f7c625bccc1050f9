"""The only import of torchvision: import it from here, `from deit_core.torchvision_ops import torchvision`, or `v2`.

torchvision's Linux wheel on PyPI is built against CUDA. Beside a CPU-only torch its compiled extension cannot load,
and then the import itself fails ("operator torchvision::nms does not exist"), since it registers shape functions for
two operators that the extension would have defined. Registering the two schemas first lets everything that does not
call them (transforms, data sets, models) work. Nothing is registered where the extension loads.
"""

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _extension_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed: the import below says so itself
    for library in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(library)
        except OSError:
            continue
        return True
    return False


EXTENSION_LOADS = _extension_loads()
if not EXTENSION_LOADS:
    _library = torch.library.Library("torchvision", "FRAGMENT")  # keeps the schemas for as long as it lives
    for _schema in _SCHEMAS:
        _library.define(_schema)

import torchvision  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

__all__ = ["EXTENSION_LOADS", "torchvision", "v2"]
