"""Components that Streamlit does not ship: the live chart, the table of pictures, and the canvas."""
