"""How every `st.table` behaves where it is wider than its place: it scrolls, and its first column stays.

Knows Streamlit's marks on tables; nothing of what stands in them.
"""

# The column that stays covers the others, so it needs the colour of the page, which only the app's own node has.
TABLE_STYLE = """
<style>
.stApp :has(.stTable), .stTable, .stTable :is(div, table, thead, tbody, tr, th, td) { background-color: inherit; }
.stTable :is(th, td):first-child { position: sticky; left: 0; z-index: 1; }
@media (max-width: 640px) {
  .stTable :is(th, td):first-child > div { max-width: 9.5rem; overflow-wrap: anywhere; }
  .stTable td:first-child > div:has(code) { max-width: 11.5rem; }
  .stTable :is(th, td):not(:first-child) { padding-left: 0.75rem; }
}
</style>
"""
