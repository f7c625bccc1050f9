"""Device, precision and threads."""

from typing import Literal

from deit_core.spec.fields import Part, field


class ComputeSpec(Part):
    """Where and how a run is computed. Changes the speed, not what is learned (beyond rounding)."""

    device: Literal["auto", "cpu", "cuda", "mps"] = field("auto", "auto takes a GPU if there is one.", advanced=True)
    devices: int = field(
        1,
        "On how many devices the run is computed at once: GPUs, or processes that share the CPU. They share each batch "
        "of optim.batch_size images; nothing else changes.",
        ge=1,
        le=1024,
        title="Number of devices",
        advanced=True,
    )
    precision: Literal["auto", "float32", "bfloat16"] = field(
        "auto",
        "Numbers of 32 bits (float32) or, by autocast, of 16 (bfloat16). auto takes bfloat16 where "
        "the device has instructions for it, the run's first steps are at least 10 % faster, and their losses agree.",
        advanced=True,
    )
    num_threads: int | None = field(
        None, "Number of CPU threads; empty: the workers share the cores.", ge=1, le=256, advanced=True
    )
    checkpoint_interval_s: float = field(
        60.0,
        "Longest time between two saved states; one more is saved at the end of each epoch.",
        unit="s",
        gt=0,
        advanced=True,
    )
