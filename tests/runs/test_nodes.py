"""The nodes of a cluster in the store: who is asked to end, and who is not."""

from contextlib import closing

from deit_core.runs import open_store
from deit_core.runs.nodes import Node, ask_to_end, write_nodes
from deit_core.settings import Settings


def test_what_ended_a_cluster_does_not_end_the_next_one(settings: Settings) -> None:
    first, joined, next_one = (Node(name, "big", 4.0, 0.0) for name in ("n1", "n2", "n3"))
    with closing(open_store(settings.store_url)) as store:
        write_nodes(store, [first])
        ask_to_end(store)
        assert write_nodes(store, [first, joined]), "until it has ended"
        assert not write_nodes(store, [next_one])
