"""Training the mini-project's models: images a second of each way to make a step, and how far it is to the device's
limits.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import peers
from benchmarks.gpu.ceilings import copy_rate, product_rate
from benchmarks.gpu.parts import Row
from benchmarks.gpu.setting import Setting, wait
from benchmarks.loops import Loop, bare_loop, batches_again, make_step, normalizer, our_loop
from deit_core.data import ImageData
from deit_core.distillation import DistillationTeacher
from deit_core.models import build_model
from deit_core.spec import RunSpec, replace
from deit_core.training.device import Plan, place

_KINDS = ("deit", "vit", "deit-soft", "teacher")
_BATCH_SIZES = (128, 512, 1024)
_ROUNDS = 3
_EAGER = Plan("bfloat16")
_RECORDED = Plan("bfloat16", recorded=True)


def measure(setting: Setting) -> Iterator[Row]:
    """Rows of one model and batch size each, then what a step is made of, and whether it waits."""
    rates = product_rate(setting, torch.bfloat16), copy_rate(setting)
    for batch_size in (16,) if setting.is_tiny else _BATCH_SIZES:
        for kind in _KINDS[:2] if setting.is_tiny else _KINDS:
            run = replace(setting.miniproject()[kind], {"optim.batch_size": batch_size})
            yield from _speeds(setting, run, kind, rates)
    for kind in ("deit",) if setting.is_tiny else ("deit", "teacher"):
        run = setting.miniproject()[kind]
        yield _waits(setting, run, kind)
        yield from _made_of(setting, run, kind)


def _speeds(setting: Setting, run: RunSpec, kind: str, rates: tuple[float, float]) -> Iterator[Row]:
    data, device = setting.data(run), setting.device
    named: dict[str, Callable[[], Loop]] = {
        "recorded": lambda: _ours(setting, run, data, _RECORDED),
        "eager": lambda: _ours(setting, run, data, _EAGER),
        "bare, recorded": lambda: bare_loop(
            run, build_model(run), data, device, _EAGER, recorded=device.type == "cuda"
        ),
        "bare, eager": lambda: bare_loop(run, build_model(run), data, device, _EAGER),
        "recorded, float32": lambda: _ours(setting, run, data, Plan(recorded=True)),
        **_peers(setting, run, data),
    }
    speeds = _in_turn({name: make() for name, make in named.items() if name != "tutorial"}, setting)
    if "tutorial" in named and run.optim.batch_size in (16, 128):
        speeds |= _in_turn({"tutorial": named["tutorial"]()}, setting)
    floor = _floor(setting, run, data, rates)
    base = {"model": kind, "batch": run.optim.batch_size}
    for name, speed in speeds.items():
        row: Row = {**base, "loop": name, "images_per_s": round(speed), "of_floor": round(speed * floor, 3)}
        row |= {"to_bare_recorded": round(speed / speeds["bare, recorded"], 3)}
        row |= {"to_tutorial": round(speed / speeds["tutorial"], 1)} if "tutorial" in speeds else {}
        yield row


def _ours(setting: Setting, run: RunSpec, data: ImageData, plan: Plan) -> Loop:
    step = make_step(run, build_model(run), _teacher(setting, run, data), data, setting.device)
    return our_loop(step, data, setting.device, plan)


def _teacher(setting: Setting, run: RunSpec, data: ImageData) -> nn.Module | None:
    if run.distillation is None:
        return None
    network = build_model(setting.miniproject()["teacher"]).eval()
    teacher = DistillationTeacher(
        network, data.mean, data.std, run.data.img_size, "float32" if setting.is_tiny else "bfloat16"
    )
    return place(teacher, setting.device)


def _peers(setting: Setting, run: RunSpec, data: ImageData) -> dict[str, Callable[[], Loop]]:
    """The loops of others that are installed."""
    device = setting.device
    if run.distillation is None:
        make = peers.tutorial_student if run.model.family == "vit" else peers.tutorial_teacher
        return {"tutorial": lambda: make(run, build_model(run), data, device)}
    cnn = place(build_model(setting.miniproject()["teacher"]).eval(), device)
    normalize = normalizer(data, device)
    found: dict[str, Callable[[], Loop]] = {"tutorial": lambda: peers.tutorial_student(run, cnn, data, device)}
    for name, make_peer in (("timm", peers.timm_student), ("vit-pytorch", peers.vit_pytorch_student)):
        try:
            loop = make_peer(run, cnn, normalize, data, device)
            next(loop)
        except ImportError:
            continue
        found[name] = lambda loop=loop: loop  # type: ignore[misc]
    return found


def _in_turn(loops: dict[str, Loop], setting: Setting) -> dict[str, float]:
    """Images/s of each loop, the median of windows taken in turn."""
    for loop in loops.values():
        for _ in islice(loop, 6):  # what is recorded is recorded by then
            pass
    wait(setting.device)
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(_ROUNDS):
        for name, loop in loops.items():
            began, count = time.perf_counter(), 0
            while time.perf_counter() - began < setting.window_s:
                count += sum(islice(loop, 4))
            wait(setting.device)
            speeds[name].append(count / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in speeds.items()}


def _floor(setting: Setting, run: RunSpec, data: ImageData, rates: tuple[float, float]) -> float:
    """Seconds an image at least: its products at the rate of large ones, or what the backward pass needs, written and
    read once, at the rate of a copy; whichever is longer.
    """
    model = place(build_model(run).train(), setting.device)
    batch = next(batches_again(run, data, setting.device))
    num_bytes = 0

    def note(tensor: Tensor) -> Tensor:
        nonlocal num_bytes
        num_bytes += tensor.numel() * tensor.element_size()
        return tensor

    with (
        FlopCounterMode(display=False) as counter,
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        torch.autocast(setting.device.type, torch.bfloat16),
    ):
        outputs = model(batch.pixels)
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        torch.stack([head.float().sum() for head in heads]).sum().backward()
    seconds: float = max(counter.get_total_flops() / rates[0], 2 * num_bytes / rates[1])
    return seconds / len(batch.labels)


def _waits(setting: Setting, run: RunSpec, kind: str) -> Row:
    """Whether the host waits for the device in 20 steps, with the making of their batches."""
    data = setting.data(run)
    loop = _ours(setting, run, data, _EAGER)
    for _ in islice(loop, 3):
        pass
    if setting.device.type != "cuda":
        return {"model": kind, "what": "waits in 20 steps", "right": sum(1 for _ in islice(loop, 20)) == 20}
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in islice(loop, 20):
            pass
    except RuntimeError as error:
        return {"model": kind, "what": "waits in 20 steps", "right": False, "where": str(error)[:200]}
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"model": kind, "what": "waits in 20 steps", "right": True}


def _made_of(setting: Setting, run: RunSpec, kind: str) -> Iterator[Row]:
    """Per step: calls that launch or wait, and the share of the device's time that each kind of work takes."""
    data, num_steps = setting.data(run), 1 if setting.is_tiny else 10
    device_works = setting.device.type == "cuda"
    for name, plan in (("eager", _EAGER), ("recorded", _RECORDED)):
        loop = _ours(setting, run, data, plan)
        for _ in islice(loop, 6):
            pass
        wait(setting.device)
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device_works else [])]
        with profile(activities=activities) as profiled:
            for _ in islice(loop, num_steps):
                pass
            wait(setting.device)
        calls: Counter[str] = Counter()
        shares: Counter[str] = Counter()
        for event in profiled.events() or ():
            if event.name.startswith("cuda"):
                calls[event.name] += 1
            if event.device_type.name == "CUDA":
                shares[_kind_of(event.name)] += event.time_range.elapsed_us()
        total = sum(shares.values()) or 1
        yield {
            "model": kind,
            "what": f"one step, {name}",
            "device_us": round(total / num_steps, 1),
            "calls": {call: round(count / num_steps, 1) for call, count in calls.most_common(6)},
            "share": {work: round(us / total, 3) for work, us in shares.most_common()},
        }


def _kind_of(kernel: str) -> str:
    """The kind of work of a kernel, by the words in its name."""
    words = {
        "products": ("gemm", "cutlass", "wgrad", "dgrad", "fprop", "conv", "nvjet", "xmma"),
        "attention": ("flash", "fmha", "attention", "softmax"),
        "norms": ("norm", "bn_"),
        "optimiser": ("multi_tensor", "adam"),
        "copies": ("memcpy", "memset", "copy"),
        "random numbers": ("philox", "dropout", "bernoulli", "distribution"),
        "sums": ("reduce",),
        "one by one": ("elementwise",),
    }
    low = kernel.lower()
    return next((kind for kind, parts in words.items() if any(part in low for part in parts)), "other")
