"""What the server does around the pages: their HTML, whom it answers, and how it starts."""
