"""DeiT Lab's core: models, distillation, training, runs and attention, without any page.

The names that most programs need are here, and each is loaded at its first use: importing this package loads nothing
heavy. Each subpackage re-exports its public names, which are more.
"""

from typing import TYPE_CHECKING

__all__ = [
    "Viewer",
    "from_pretrained",
    "load_data",
    "overlay",
    "presets",
    "replace",
    "rollout",
    "save_pretrained",
    "train",
    "train_with_bar",
]

if TYPE_CHECKING:
    from deit_core import presets
    from deit_core.attention import Viewer, rollout
    from deit_core.attention.overlay import overlay
    from deit_core.cli.progress import train_with_bar
    from deit_core.data import load_data
    from deit_core.results.pretrained import from_pretrained, save_pretrained
    from deit_core.spec import replace
    from deit_core.training import train
else:  # a type checker would take any name for one of this package's
    _HOMES = {
        "Viewer": "deit_core.attention",
        "from_pretrained": "deit_core.results.pretrained",
        "load_data": "deit_core.data",
        "overlay": "deit_core.attention",
        "replace": "deit_core.spec",
        "rollout": "deit_core.attention",
        "save_pretrained": "deit_core.results.pretrained",
        "train": "deit_core.training",
        "train_with_bar": "deit_core.cli.progress",
    }

    def __getattr__(name):
        from importlib import import_module

        if name == "presets":
            return import_module("deit_core.presets")
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
