"""Client sockets, HTTP requests, admission, and the connection of a client."""
