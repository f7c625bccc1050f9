"""Device, precision and threads."""

from typing import Literal, Self

from pydantic import model_validator

from deit_core.spec.fields import Part, field


class ComputeSpec(Part):
    """Where and how a run is computed. Changes speed and memory, not what is learned, beyond rounding and what a field
    says of itself.
    """

    engine: Literal["any", "local", "ray", "slurm"] = field(
        "any",
        "Whose workers may take the run from the queue: any, or only those of a machine by itself (local), of a Ray "
        "cluster, or of Slurm.",
        advanced=True,
    )
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
    nodes: int = field(
        1,
        "Over how many machines of a Ray cluster these devices are spread, the same number on each.",
        ge=1,
        le=1024,
        title="Number of machines",
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

    @model_validator(mode="after")
    def _nodes_fit(self) -> Self:
        if self.devices % self.nodes:
            raise ValueError(
                f"{self.devices} devices cannot be spread evenly over {self.nodes} machines; make compute.devices a "
                "multiple of compute.nodes."
            )
        if self.nodes > 1 and self.engine not in ("any", "ray"):
            raise ValueError("Only Ray spreads a run over several machines; set compute.engine to ray or any.")
        return self
