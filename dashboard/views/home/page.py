"""Home: what this is, three ways to begin, and what happens on this machine now.

The parts of the page are in this folder; this file puts them in their places.
"""

import streamlit as st

from dashboard import machine, state
from dashboard.components.markup import markup
from dashboard.navigation import link
from dashboard.pictures.preparation import prepare
from dashboard.views.home.doors import doors
from dashboard.views.home.last_results import last_results
from dashboard.views.home.models_picture import models_picture
from dashboard.views.home.running import running
from deit_core.runs.demo_runs import demo_example


def render() -> None:
    st.title("DeiT Lab")
    st.markdown(
        "Train three neural networks that say what is on an image: a CNN (convolutional network), a ViT (Vision "
        "Transformer), and a DeiT, which is the same transformer with that CNN as its teacher. Watch them learn, see "
        "which is better and why, and see which parts of an image they look at."
    )
    if (example := demo_example()) is not None:
        markup(models_picture(example), key="home_models")
        st.caption(
            "A transformer cuts the image into patches, and its tokens take information from them by attention. A "
            "DeiT has two such tokens, each with a head that names the class; one of them learns from the teacher."
        )
    doors()
    runs = state.runs()
    running(runs)
    last_results(runs)
    st.header("This machine")
    st.caption(machine.describe())
    st.caption(
        "Nothing leaves this machine: pictures, models and results stay in its folders. Only data sets and weights "
        "that you ask for are fetched, from where they are published."
    )
    link("system", "All about this machine")
    prepare()  # once the whole page is drawn; from here many go to Attention
