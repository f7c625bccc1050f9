"""This machine: its cores and memory, its description, and how its threads wait. Knows no torch."""
