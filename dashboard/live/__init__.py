"""What open pages are told while a run trains: the server that says it, and the JavaScript that hears it."""
