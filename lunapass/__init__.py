"""The command line, the supervisor that starts all roles, and the client library."""
