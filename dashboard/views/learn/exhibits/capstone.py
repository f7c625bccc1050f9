"""Lesson 8: the paper's table 3 in small, with means and standard deviations of the seeds."""

import streamlit as st

from dashboard.lessons.evidence import Answer, evidence
from deit_core.analysis.seeds import Sample

_ROWS = {
    "vit": "No teacher",
    "soft": "Soft distillation",
    "hard": "Hard distillation",
    "deit": "Hard distillation, with the token",
}


def draw() -> Answer | None:
    found = evidence("table-3")
    if found is None:
        return None
    st.dataframe(
        [
            {
                "Training": title,
                "Test accuracy": f"{found.accuracy[name].mean:.1%}",
            }
            | (_spread(found.accuracy[name]) if found.own else {})
            for name, title in _ROWS.items()
        ],
        hide_index=True,
        width=640,
    )
    names = list(_ROWS)
    best, second = sorted(names, key=lambda name: -found.accuracy[name].mean)[:2]
    lead = 100 * (found.accuracy[best].mean - found.accuracy[second].mean)
    sd = found.accuracy[best].sd
    if not found.own:
        spread = ". Train it with three seeds to see the standard deviation"
    elif sd is None:
        spread = "; one seed says nothing about the spread"
    else:
        spread = f"; its standard deviation is {100 * sd:.1f}"
    sentence = f"{_ROWS[best]} is {lead:.1f} points ahead of {_ROWS[second].lower()}{spread}."
    return Answer(names.index(best), sentence, found.source)


def _spread(sample: Sample) -> dict[str, str]:
    return {
        "Standard deviation": "" if sample.sd is None else f"{100 * sample.sd:.1f} points",
        "Seeds": str(len(sample.values)),
    }
