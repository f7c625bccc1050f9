"""What memory a training takes, compared with the estimate from its spec. One process for each training, a few steps.

Every training is that of a preset for one epoch, where needed with fewer images or smaller batches, so that none takes
4 GB. Data sets that may not be here are replaced by Fashion-MNIST. Runs on a CPU.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.memory import memory_needed
from deit_core.spec import RunSpec, load_spec, members, replace

_LIMIT_BYTES = 4 * 10**9
_NUM_STEPS = 3
_SMALL_EPOCH = 60  # steps, up to which a whole epoch is trained and evaluated
_SHORT = {"optim.epochs": 1, "optim.warmup_epochs": 0, "compute.precision": "float32"}  # few plans are tried
_AT_224 = {
    "data.source": "fashion-mnist",
    "data.fraction": 0.01,
    "data.normalization": "half",
    "initial_checkpoint": "",
    "augment.randaugment_ops": 0,
}
_SCRATCH = {"data.source": "fashion-mnist", "model.pretrained": "off", "model.freeze_backbone": False}
TRAININGS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("smoke", "smoke", {}),
    ("digits-quick", "teacher", {}),
    ("digits-quick", "deit", {}),
    ("fashion-miniproject", "teacher", {}),
    ("fashion-miniproject", "vit", {}),
    ("fashion-full", "vit", {}),
    ("fashion-full", "deit", {}),
    ("fashion-classroom", "vit", {"data.img_size": 112, "model.patch_size": 16}),
    ("cifar10-full", "vit", {"data.source": "fashion-mnist"}),
    ("mnist-soft-resnet50", "teacher", _SCRATCH),
    ("deit-tiny", "vit", _AT_224 | {"optim.batch_size": 8}),
    ("deit-tiny", "vit", _AT_224 | {"model.depth": 2}),  # of 64 images
    ("deit-small", "vit", _AT_224 | {"optim.batch_size": 4, "optim.ema": "separate"}),
    ("deit-tiny", "teacher", _AT_224 | {"optim.batch_size": 4, "model.pretrained": "off"}),
)


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Peak of the process and the estimate, in MB. `long` is for the shape of the others: it changes nothing here."""
    with TemporaryDirectory() as folder:
        for preset, name, changes in TRAININGS:
            spec = presets.get(preset)
            run = replace(next(one for one in members(spec) if one.name == name), changes | _SHORT)
            teacher = spec.teacher_of(run) if spec != run and run.distillation else None  # type: ignore[union-attr]
            needed = memory_needed(run, SOURCES[run.data.source], teacher=teacher)
            peak = _peak_bytes(run, teacher, Path(folder))
            estimate = needed.total + needed.logits
            yield {
                "run": f"{preset} {name}",
                "batch": run.optim.batch_size,
                "px": run.data.img_size,
                "estimate_mb": round(estimate / 1e6),
                "peak_mb": round(peak / 1e6),
                "ratio": round(estimate / peak, 2),
            }


def _peak_bytes(run: RunSpec, teacher: RunSpec | None, folder: Path) -> int:
    documents = [one.model_dump_json() for one in (run, teacher) if one is not None]
    command = [sys.executable, "-m", "benchmarks.memory", str(folder), *documents]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(done.stdout.splitlines()[-1])


def _train(folder: Path, run: RunSpec, teacher: RunSpec | None) -> int:
    """Train a little in this process; the bytes it held at most."""
    from deit_core.events import EpochDone, RunStarted, StepDone
    from deit_core.models import ModelCard, build_model, save_weights
    from deit_core.training import train

    if teacher is not None:
        facts, file = SOURCES[teacher.data.source], folder / "teacher.safetensors"
        half = (0.5,) * facts.in_chans
        card = ModelCard(
            spec=teacher,
            classes=facts.classes,
            in_chans=facts.in_chans,
            mean=half,
            std=half,
            data_hash="",
            epoch=1,
            step=1,
        )
        save_weights(file, build_model(teacher), card)
        run = replace(run, {"distillation.teacher": str(file)})
    with TemporaryDirectory(dir=folder) as run_dir:
        events = train(run, run_dir=Path(run_dir) / "run", runs_dir=folder, num_threads=1, group_s=0)
        is_small = False
        for event in events:
            if isinstance(event, RunStarted):
                is_small = event.steps_per_epoch <= _SMALL_EPOCH
            is_last_step = isinstance(event, StepDone) and event.step == _NUM_STEPS
            if isinstance(event, EpochDone) or (is_last_step and not is_small):
                break
        events.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (_LIMIT_BYTES, _LIMIT_BYTES))
    where, *texts = sys.argv[1:]
    specs = [load_spec(json.dumps(json.loads(text))) for text in texts]
    assert isinstance(specs[0], RunSpec)
    print(_train(Path(where), *specs, *[None] * (2 - len(specs))))  # type: ignore[arg-type]
