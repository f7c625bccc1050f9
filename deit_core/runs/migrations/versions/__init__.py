"""A file for each version of the tables: what makes it from the version before."""
