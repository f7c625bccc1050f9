"""HTML with a drawing in it, which `st.html` would leave out. Of our own making: what users typed is escaped before.

Knows nothing of what it shows. It is in the page's theme, with Streamlit's own variables for colours.
"""

import streamlit as st

_JS = """
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector("div");
  if (place.dataset.shown !== data) {  // a redraw would begin an animation again
    place.dataset.shown = data;
    place.innerHTML = data;
  }
}
"""

_mount = st.components.v2.component("deit_lab_markup", html="<div></div>", js=_JS)


def markup(html: str, *, key: str) -> None:
    """Show trusted HTML, styles included; they do not reach the rest of the page."""
    _mount(key=key, data=html)
