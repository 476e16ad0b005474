"""Connections: the client protocol, the messages between roles, sockets, keys."""
