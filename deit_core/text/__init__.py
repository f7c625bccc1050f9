"""Text that others wrote: shortened for messages, compared with known names, read as JSON."""
