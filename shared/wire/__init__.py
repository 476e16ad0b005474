"""What crosses a connection: the clients' protocol, the messages between roles, sockets, keys."""
