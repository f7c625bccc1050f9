"""One package per page, each with one `render()`."""
