"""Messages to open pages while a run trains: the server that sends them, and the JavaScript that receives them."""
