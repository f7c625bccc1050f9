"""Device, precision and threads."""

from typing import Literal

from deit_core.spec.fields import Part, field


class ComputeSpec(Part):
    """Where and how a run is computed. Changes speed and memory, not what is learned, beyond rounding and what a field
    says of itself.
    """

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
    gradient_accumulation_steps: int = field(
        1,
        "In how many parts each batch of optim.batch_size images is computed, one after the other, which needs less "
        "memory. The update is that of the whole batch; but dropout is drawn for each part, and batch norm, as in a "
        "CNN, takes the statistics of each part.",
        ge=1,
        le=1024,
        advanced=True,
    )
    precision: Literal["auto", "float32", "bfloat16"] = field(
        "auto",
        "Numbers of 32 bits (float32) or, by autocast, of 16 (bfloat16). auto tries both on the run's first steps, and "
        "takes bfloat16 if it is at least 10 % faster and its losses agree.",
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
