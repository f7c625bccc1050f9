"""The System page: the queue, the workers and the store now, and what the doctor says about this installation."""

import streamlit as st

from dashboard import machine
from dashboard.error_messages import errors_as_messages
from dashboard.reach import others_can_reach
from dashboard.state import store
from dashboard.text import escape
from deit_core.doctor import Finding, examine
from deit_core.runs.activity import WorkerActivity, activity
from deit_core.runs.nodes import NodeActivity
from deit_core.wording import duration


def render() -> None:
    st.title("System")
    with errors_as_messages():
        _draw_activity()
    st.header("Installation")
    if others_can_reach():
        st.caption(
            "Visitors do not see the results of `python -m deit_core doctor`, because they contain names of folders on "
            "this machine. Run the command on the machine itself."
        )
        return
    st.caption("The same as `python -m deit_core doctor`, which also checks whether the dashboard's port is free.")
    for finding in _findings():
        icon = ":green[:material/check_circle:]" if finding.is_well else ":red[:material/error:]"
        st.markdown(f"{icon} {escape(finding.sentence)}")
    if st.button("Check again", icon=":material/refresh:"):
        _findings.clear()
        st.rerun()


def _draw_activity() -> None:
    now = activity(store())
    with st.container(horizontal=True, key="system_counts"):
        for label, value in (
            ("Runs in the queue", f"{now.num_queued:,}"),
            ("Runs that train", f"{now.num_running:,}"),
            ("Workers", f"{len(now.workers):,}"),
            ("Size of the store", f"{now.store_bytes / 1e6:.1f} MB"),
        ):
            st.metric(label, value, width="content")
    if now.workers:
        st.table({name: [_row(worker)[name] for worker in now.workers] for name in _row(now.workers[0])})
    else:
        st.caption("No worker; the next run starts one.")
    if now.nodes:
        st.subheader("Cluster")
        st.table({name: [_node_row(node)[name] for node in now.nodes] for name in _node_row(now.nodes[0])})
        if not all(node.is_there for node in now.nodes):
            st.caption(
                "No process looks after the cluster any more; start it again with `python -m deit_core cluster up`."
            )
    st.caption(machine.describe())


def _row(worker: WorkerActivity) -> dict[str, str]:
    return {
        "Worker": f"process {worker.pid} on {escape(worker.host)}",
        "Run": "waits for one" if worker.run_number is None else f"Run {worker.run_number}",
        "Heartbeat": f"{duration(worker.heartbeat_age_s)} ago",
    }


def _node_row(node: NodeActivity) -> dict[str, str]:
    return {
        "Node": escape(node.host),
        "Has": f"{node.num_cpus:g} cores, {node.num_gpus:g} GPUs",
        "Trains": ", ".join(f"Run {number}" for number in node.run_numbers) or "nothing",
        "Seen": f"{duration(node.seen_s)} ago",
    }


@st.cache_data(ttl=30, show_spinner="Checking…")  # loads torch on the first visit
def _findings() -> list[Finding]:
    return examine()
