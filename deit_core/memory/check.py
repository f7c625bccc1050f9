"""Refuses what needs more memory than there is, in a sentence: on submit, before a session, and before a model is read.

Reads the specs of teachers in the runs folder or in cards; builds nothing and loads no torch.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from deit_core.catalog import SourceFacts
from deit_core.errors import ResourceError
from deit_core.machine.limits import available_memory, may_have_gpu, total_memory
from deit_core.memory.needed import FOLDER_SHARE, Needed, memory_needed
from deit_core.memory.networks import network_size
from deit_core.memory.teacher_specs import read_teacher_spec
from deit_core.spec import AnySpec, DataSpec, ExperimentSpec, RunSpec, members, swept

_STEP = "each step"
_REMEDIES = {
    "the model": "choose a smaller model",
    _STEP: "make compute.gradient_accumulation_steps larger, or data.img_size, optim.batch_size or the model smaller",
    "its images": "make data.fraction or data.img_size smaller",
    "its teacher": "choose a smaller teacher",
    "Python": "use a machine with more memory",
}


def check_granted(
    spec: AnySpec,
    runs_dir: Path,
    *,
    granted: int | None = None,
    facts: SourceFacts | None = None,
    only: Callable[[RunSpec], bool] = lambda _: True,
) -> None:
    """Check every run of a spec against the memory that this machine grants, whatever is free at the moment.

    Args:
        runs_dir: where a teacher named by its run's id is found.
        granted: in bytes; None: as `total_memory` says.
        facts: of the data of all runs; None: those of its data set, and of a folder only that it has images.
        only: which runs are checked.
    Raises: ResourceError for the first run that needs more.
    """
    limit = total_memory() if granted is None else granted
    for run, needed in _needed_by_run(spec, runs_dir, limit, facts):
        if only(run) and needed.total > limit:
            raise _too_large(repr(run.name), needed, f"this machine grants {_gb(limit)}")


def most_needed(spec: AnySpec, runs_dir: Path) -> int:
    """Bytes that the largest run of a spec needs on this machine, counted from its settings.

    Args: runs_dir: where a teacher named by its run's id is found.
    """
    return max(needed.total for _, needed in _needed_by_run(spec, runs_dir, total_memory(), None))


def check_free(run: RunSpec, runs_dir: Path, *, on_gpu: bool = False) -> None:
    """Check, in the process that is to train it, that the memory that is free now is enough for a run.

    Raises: ResourceError where it is not.
    """
    free = available_memory()
    needed = _needed(run, None, runs_dir, total_memory(), None, on_gpu=on_gpu)
    if needed.total - needed.process > free:
        raise _too_large(repr(run.name), needed, f"only {_gb(free)} are free now; end other programs and resume, or")


def check_model(name: str, spec: RunSpec, in_chans: int, num_classes: int) -> None:
    """Check that the weights of a model fit into the memory that is free now, twice: as a file and as the model.

    Args: name: what the message calls it.
    Raises: ResourceError where they do not.
    """
    num_bytes, free = 8 * network_size(spec, in_chans, num_classes).num_params, available_memory()
    if num_bytes > free:
        raise ResourceError(
            f"{name} describes a model that needs about {_gb(num_bytes)} of memory, and {_gb(free)} are free; choose a "
            "smaller model, or use a machine with more memory."
        )


def may_use_gpu(run: RunSpec) -> bool:
    """Whether a run may be computed by a GPU with a memory of its own."""
    return run.compute.device in ("auto", "cuda") and may_have_gpu()


def _needed_by_run(
    spec: AnySpec, runs_dir: Path, limit: int, facts: SourceFacts | None
) -> Iterator[tuple[RunSpec, Needed]]:
    spec = swept(spec)
    for run in members(spec):
        teacher = spec.teacher_of(run) if isinstance(spec, ExperimentSpec) else None
        yield run, _needed(run, teacher, runs_dir, limit, facts, on_gpu=may_use_gpu(run))


def _needed(
    run: RunSpec, teacher: RunSpec | None, runs_dir: Path, limit: int, facts: SourceFacts | None, *, on_gpu: bool
) -> Needed:
    if teacher is None and run.distillation is not None:
        teacher = read_teacher_spec(run.distillation.teacher, runs_dir)
    known = facts or run.data.facts or _unread(run.data)
    share = -(-run.optim.batch_size // run.compute.devices)  # of each batch, that a device has
    run = run.model_copy(update={"optim": run.optim.model_copy(update={"batch_size": share})})
    return memory_needed(run, known, teacher=teacher, images_bytes=FOLDER_SHARE * limit, on_gpu=on_gpu)


def _unread(data: DataSpec) -> SourceFacts:
    """The facts of a folder that is not read yet: it has two classes, and the least of images."""
    in_chans = 3 if data.colour else 1
    return SourceFacts("", ("", ""), in_chans, None, num_train=0, num_test=0, flips_keep_class=True, origin="")


def _too_large(name: str, needed: Needed, but: str) -> ResourceError:
    parts = {
        "the model": needed.weights,
        _STEP: needed.step,
        "its images": max(needed.images, needed.loading - needed.training),
        "its teacher": needed.teacher,
        "Python": needed.process,
    }
    named = sorted(filter(parts.__getitem__, parts), key=parts.__getitem__, reverse=True)
    shares = ", ".join(f"{_gb(parts[part])} for {part}" for part in named)
    end = " " if but.endswith(" or") else "; "
    return ResourceError(
        f"{name} needs about {_gb(needed.total)} of memory ({shares}), and {but}{end}{_REMEDIES[named[0]]}."
    )


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.0f} MB"
