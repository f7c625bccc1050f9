"""All that is measured on a GPU, in one call on a bare machine: see `command`."""
