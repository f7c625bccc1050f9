"""The Attention page in parts: what is chosen, its maps, the table of panels, a file for each closer look."""
