"""`python -m benchmarks gpu`: what a GPU computes right, and how fast, within some minutes.

Needs PyTorch 2.11 or newer and what `deit_core.training` imports; no store, no page, no network and no other benchmark.
Parts come in the order of their worth, and what is known is written at once, so a call that is cut off still gives
something.
"""

import importlib.util
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

_NEEDED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "einops": "einops",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "psutil": "psutil",
    "sklearn": "scikit-learn",
    "safetensors": "safetensors",
    "pydantic": "pydantic",
}
_PEERS = ("timm", "vit_pytorch")


def gpu(
    data_dir: Annotated[Path, typer.Option(help="Folder with Fashion-MNIST's four files; else the digits are used.")],
    out: Annotated[Path, typer.Option(help="Folder for gpu.json.")],
    minutes: Annotated[float, typer.Option(help="Longest time for all parts.", min=0.05)] = 6.0,
    device: Annotated[str, typer.Option(help="cuda; cpu tries the script with tiny sizes.")] = "cuda",
    only: Annotated[list[str] | None, typer.Option(help="Only these parts.")] = None,
) -> None:
    """Measure the models, their training and their maps on a GPU."""
    if missing := [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]:
        typer.echo(f"Not installed: {', '.join(missing)}. Install them with pip, then start again.", err=True)
        raise typer.Exit(2)
    from benchmarks.gpu import ceilings, end_to_end, fast, large, machine, right
    from benchmarks.gpu.parts import Part, Report, Row, run_parts
    from benchmarks.gpu.setting import Setting

    parts = (
        Part("machine", 0.5, machine.measure),
        Part("ceilings", 0.5, ceilings.measure),
        Part("right", 3.0, right.measure),
        Part("fast", 5.0, fast.measure),
        Part("end to end", 4.0, end_to_end.measure),
        Part("large", 5.0, large.measure),
    )
    if unknown := set(only or ()) - {part.name for part in parts}:
        raise typer.BadParameter(f"{', '.join(unknown)}: choose among {', '.join(part.name for part in parts)}.")
    out.mkdir(parents=True, exist_ok=True)
    facts: dict[str, object] = {
        "device": device,
        "minutes": minutes,
        "versions": {package: version(package) for package in _NEEDED.values() if package != "opencv-python-headless"},
        "peers": [name for name in _PEERS if importlib.util.find_spec(name) is not None],
    }

    def show(part: str, row: Row) -> None:
        typer.echo(f"{part}: " + "  ".join(f"{key} {value}" for key, value in row.items()))

    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(device, data_dir.absolute(), Path(folder))
        chosen = [part for part in parts if not only or part.name in only]
        run_parts(chosen, setting, 60 * minutes, Report(out / "gpu.json", facts), show)
