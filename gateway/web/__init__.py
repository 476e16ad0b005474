"""The door: sockets, HTTP requests, who may connect, and what a connection receives and sends."""
