"""Components that Streamlit does not ship: so far, the live chart."""
