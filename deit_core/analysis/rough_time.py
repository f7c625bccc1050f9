"""How long a changed spec takes, roughly: a known time, scaled by the operations that are counted in both specs.

Knows specs and arithmetic; measures nothing. Small models spend much of their time on what is not counted, so this is
for the seconds until a measurement is there.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from deit_core.analysis.cost import flops_per_image
from deit_core.spec import AnySpec, ExperimentSpec, LibrarySpec, RunSpec, kind_of, members, swept

_STEP = 3  # forward passes that a training step costs: one forward, and a backward of two
_STEP_OF_HEAD = 1  # where only the head is trained


def training_flops(run: RunSpec, teacher: RunSpec | None = None) -> float | None:
    """Floating-point operations of all epochs of a run, its validation and the logits of its teacher.

    Args: teacher: the spec of its teacher, where it is known.
    Returns: None where the images or the network are not known before they are read.
    """
    facts = run.data.facts
    if facts is None:
        return None
    shape = facts.in_chans, len(facts.classes)
    each = flops_per_image(run, *shape)
    asked = 0.0 if teacher is None else flops_per_image(teacher, *shape)
    if each is None or asked is None:
        return None
    num_train, num_val = run.num_images(facts.num_train)
    step = _STEP_OF_HEAD if isinstance(run.model, LibrarySpec) and run.model.freeze_backbone else _STEP
    num_asked = run.optim.epochs if run.num_views is None else min(run.optim.epochs, run.num_views)
    return each * run.optim.epochs * (step * num_train + num_val) + asked * num_asked * num_train


def rough_duration(known: AnySpec, duration_s: float, run_s: Mapping[str, float], changed: AnySpec) -> float | None:
    """Seconds for `changed`.

    Args:
        known: a spec that took `duration_s` in all, and `run_s` by the name of each run where that was measured.
    Returns: None where the operations of one of them cannot be counted, or a run has another name.
    """
    before, after = _flops_by_run(known), _flops_by_run(changed)
    if before is None or after is None or before.keys() != after.keys():
        return None
    if before.keys() != run_s.keys():
        return duration_s * sum(after.values()) / sum(before.values())
    rest_s = duration_s - sum(run_s.values())  # the start of the process
    return rest_s + sum(run_s[name] * after[name] / before[name] for name in before)


def sweep_factors(spec: ExperimentSpec) -> dict[str, float]:
    """By the name of each run of a spec how many times its work a sweep asks for; 1 where it asks for none.

    Counted in operations, or else in runs.
    """
    once, all_of_it = _flops_by_run(spec.with_changes(sweep=None)), _flops_by_run(spec)
    if once is None or all_of_it is None:
        return dict(Counter(kind_of(spec, run.name) for run in members(swept(spec))))
    return {name: all_of_it[name] / once[name] for name in once}


def _flops_by_run(spec: AnySpec) -> dict[str, float] | None:
    """By the name of each run of a spec those of all its seeds, and of all that a sweep makes of it."""
    if isinstance(spec, RunSpec):
        flops = training_flops(spec)
        return None if flops is None else {spec.name: flops}
    found: dict[str, float] = defaultdict(float)
    experiment = swept(spec)
    assert isinstance(experiment, ExperimentSpec)
    for run in experiment.runs:
        flops = training_flops(run, experiment.teacher_of(run))
        if flops is None:
            return None
        found[run.name if spec.sweep is None else kind_of(spec, run.name)] += flops * experiment.num_repeats(run)
    return dict(found)
