"""The course: its texts, the numbers that answer them, and the panel that goes along to other pages."""
