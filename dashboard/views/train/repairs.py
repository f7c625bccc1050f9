"""One click that makes changes of a spec trainable again, where it is plain what to do. Knows changes; no presets."""

import streamlit as st

from dashboard.text import escape
from dashboard.views.train.changes import Changes
from deit_core.spec import members

_SHARE = 0.1  # of the epochs, as in most presets


def offer_repair(changes: Changes) -> None:
    """A button that shortens each warm-up that would not end before its run; nothing where there is none."""
    if not (shorter := shorter_warmups(changes)):
        return
    (name, epochs), *others = shorter.items()
    end = " and so on" if others else ""
    label = f"Shorten the warm-up: {escape(name)} {epochs:g} of {changes.value(name, 'optim.epochs')} epochs{end}"
    st.button(label, key="shorten_warmup", icon=":material/build:", on_click=_shorten, args=(changes, shorter))


def shorter_warmups(changes: Changes) -> dict[str, float]:
    """By the name of each run whose warm-up is as long as its training, or longer: a tenth of its epochs."""
    found = {}
    for run in members(changes.spec):
        warmup, epochs = (changes.value(run.name, f"optim.{field}") for field in ("warmup_epochs", "epochs"))
        if warmup >= epochs:
            found[run.name] = _SHARE * epochs
    return found


def _shorten(changes: Changes, warmups: dict[str, float]) -> None:
    for name, epochs in warmups.items():
        changes.set([name], "optim.warmup_epochs", epochs)
    st.session_state["train_form"] += 1  # whose widgets show what is in the changes
