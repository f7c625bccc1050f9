"""Whether the device computes what is right: against float64 on the CPU, and against itself.

An error is the norm of the difference, divided by the norm of what is right.
"""

import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace as with_fields
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.gpu.parts import Row
from benchmarks.gpu.setting import Setting
from benchmarks.loops import batches_again, make_step
from deit_core.attention import attention_relevance, attention_rollout
from deit_core.distillation import DistillationTeacher
from deit_core.events import RunStarted, StepDone
from deit_core.layout import RunFiles
from deit_core.models import VisionTransformer, build_model, build_student
from deit_core.spec import RunSpec, replace
from deit_core.training import train
from deit_core.training.device import Plan, place
from deit_core.training.measures import Sums
from deit_core.training.recorded_step import GraphRecorder, RecordedStep, Recorder
from deit_core.training.step import TrainStep, build_terms

_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.2}  # of errors; on a CPU they are 1e-7 to 3e-6, and 0.001 to 0.1


def measure(setting: Setting) -> Iterator[Row]:
    """Errors of networks and maps, then whether steps repeat bit for bit, and are the same when recorded."""
    runs = setting.miniproject()
    yield from _networks(setting, runs)
    yield from _maps(setting, runs["deit"])
    yield from _recorded(setting, runs)
    yield from _repeats(setting, runs["vit"])


def _networks(setting: Setting, runs: dict[str, RunSpec]) -> Iterator[Row]:
    """Logits, loss and gradients of one batch."""
    for name in ("vit", "deit", "teacher"):
        run = (
            replace(runs[name], {"model.drop_rate": 0.0, "model.attn_drop_rate": 0.0})
            if name != "teacher"
            else runs[name]
        )
        torch.manual_seed(0)
        model = build_model(run)
        pixels, labels = torch.randn(64, 1, run.data.img_size, run.data.img_size), torch.arange(64) % 10
        right = _all_of(run, deepcopy(model).double(), pixels.double(), labels)
        model = place(model, setting.device)
        pixels, labels = pixels.to(setting.device), labels.to(setting.device)
        for precision in ("float32", "bfloat16"):
            with torch.autocast(setting.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                found = _all_of(run, model, pixels, labels)
            errors = {what: error(found[what], right[what]) for what in right}
            yield {
                "what": f"{name}, {precision}",
                **errors,
                "right": max(errors.values()) < _TOLERANCE[precision],
            }


def _all_of(run: RunSpec, model: nn.Module, pixels: Tensor, labels: Tensor) -> dict[str, Tensor]:
    model.train()
    model.zero_grad(set_to_none=True)
    outputs = model(pixels)
    teacher_logits = (
        torch.linspace(-2, 2, 640, dtype=torch.float64).view(64, 10).to(pixels) if run.distillation else None
    )
    terms = build_terms(run)
    loss = terms(outputs, labels, teacher_logits).total
    loss.backward()
    logits = torch.stack(outputs) if isinstance(outputs, tuple) else outputs
    gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return {"logits": logits.detach(), "loss": loss.detach(), "gradients": gradients}


def _maps(setting: Setting, run: RunSpec) -> Iterator[Row]:
    """A rollout with a discard, and relevance, in float32."""
    torch.manual_seed(1)
    model = build_student(run).eval()
    pixels = torch.randn(4, model.in_chans, *model.img_size)
    ways: dict[str, Callable[[VisionTransformer, Tensor], Tensor]] = {
        "rollout": lambda vit, images: attention_rollout(vit, images),
        "relevance": lambda vit, images: attention_relevance(
            vit, images, target=torch.zeros(4).long().to(images.device)
        ),
    }
    exact = deepcopy(model).double()
    model = place(model, setting.device)
    for name, way in ways.items():
        off = error(way(model, pixels.to(setting.device)), way(exact, pixels.double()))
        yield {"what": name, "error": off, "right": off < _TOLERANCE["float32"]}


def error(found: Tensor, right: Tensor) -> float:
    """The norm of the difference, relative to that of what is right."""
    right = right.detach().cpu().double()
    difference = (found.detach().cpu().double() - right).norm() / right.norm()
    return float(f"{difference.item():.2g}")


class AgainRecorder:
    """Calls a body again where there is no GPU: the logic of a recorded step without the recording."""

    def run(self, body: Callable[[], None]) -> None:
        body()

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        return body


def recorder_for(device: torch.device) -> Recorder:
    return GraphRecorder(device) if device.type == "cuda" else AgainRecorder()


def _recorded(setting: Setting, runs: dict[str, RunSpec]) -> Iterator[Row]:
    """The weights after some steps, made plainly and recorded, and recorded a second time."""
    mixed = {"augment.mixup_alpha": 0.8, "augment.cutmix_alpha": 1.0, "optim.ema": "separate", "optim.clip_grad": 1.0}
    cases = {
        "vit": runs["vit"],
        "deit": runs["deit"],
        "teacher": runs["teacher"],
        "deit, mixed, EMA, clipped": replace(runs["deit"], mixed),
        "deit, Muon": replace(runs["deit"], {"optim.optimizer": "muon"}),
    }
    for name, run in cases.items():
        plain, one, two = (_weights_after(setting, run, recorded=recorded) for recorded in (False, True, True))
        off = error(one, plain)
        yield {
            "what": f"recorded steps: {name}",
            "error": off,
            "bitwise": torch.equal(one, plain),
            "repeats_bitwise": torch.equal(one, two),
            "right": off < 1e-3,
        }


def _weights_after(setting: Setting, run: RunSpec, *, recorded: bool) -> Tensor:
    """All weights after 12 steps of a run."""
    torch.manual_seed(0)
    data, device = setting.data(run), setting.device
    teacher = None
    if run.distillation is not None:
        network = build_model(setting.miniproject()["teacher"])
        teacher = place(DistillationTeacher(network.eval(), data.mean, data.std, run.data.img_size), device)
    step = make_step(run, build_model(run), teacher, data, device)
    step.follow(with_fields(Plan(), recorded=recorded))
    sums = Sums({})
    stepper = RecordedStep(step, sums, 100, recorder=recorder_for(device)) if recorded else _plainly(step, sums)
    for number, batch in enumerate(islice(batches_again(run, data, device), 12)):
        stepper(batch, number)
    models = [step.model, *([step.average] if step.average is not None else [])]
    return torch.cat([tensor.detach().flatten().float() for model in models for tensor in model.state_dict().values()])


def _plainly(step: TrainStep, sums: Sums):  # type: ignore[no-untyped-def]
    return lambda batch, number: sums.add(step(batch.pixels, batch.labels, number, batch.rows, batch.mix))


def _repeats(setting: Setting, run: RunSpec) -> Iterator[Row]:
    """Whole runs: two with one seed, and one that is stopped and resumed."""
    share = 0.2 if setting.is_tiny else 0.05
    short = replace(run, {"optim.epochs": 2, "optim.warmup_epochs": 1, "data.fraction": share})
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        home = Path(folder)
        options = {"data_dir": setting.data_dir, "device": setting.device_name, "runs_dir": home, "group_s": 0.0}
        plans = []

        def whole(name: str, stop_after: int | None = None, *, resume: bool = False) -> dict[str, Tensor]:
            events = train(short, run_dir=home / name, resume=resume, **options)  # type: ignore[arg-type]
            for event in events:
                if isinstance(event, RunStarted):
                    plans.append(event.plan)
                if isinstance(event, StepDone) and event.step == stop_after:
                    events.close()
                    break
            file = RunFiles(home / name).last
            return load_file(file) if file.exists() else {}

        first, second = whole("first"), whole("second")
        yield {"what": "two runs with one seed", "plan": plans[0], "right": _equal(first, second)}
        whole("third", stop_after=5)
        yield {"what": "stopped and resumed", "right": _equal(first, whole("third", resume=True))}


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
