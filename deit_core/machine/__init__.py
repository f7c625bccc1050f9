"""This machine: how much of it there is, what it is called, and how its threads behave. Knows no torch."""
