"""Whether the nodes of a Ray cluster have room for a kind of workers. Needs no Ray."""

import pytest

from deit_core.runs.engines.ray import Kind, too_large
from deit_core.runs.nodes import Node

NODES = [Node("a", "first", 8.0, 0.0), Node("b", "second", 2.0, 1.0)]
CPU, GPU = Kind(("cpu",), 0, 1, 1), Kind(("cuda",), 1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "cpus_per_run", "lacks"),
    [
        (CPU, 8, ""),
        (CPU, 9, "it needs 1 with 9 cores each, and there are 0."),
        (GPU, 2, ""),
        (GPU, 4, "it needs 1 with 4 cores and 1 GPU each, and there are 0."),
        (CPU._replace(num_devices=4, num_nodes=2), 1, ""),
        (CPU._replace(num_devices=4, num_nodes=2), 2, "it needs 2 with 4 cores each, and there is 1."),
    ],
)
def test_a_run_for_which_no_node_has_room_says_so(kind: Kind, cpus_per_run: int, lacks: str) -> None:
    sentence = too_large(kind, NODES, cpus_per_run)
    assert lacks in sentence
    assert bool(sentence) == bool(lacks)
