"""Where the roles are put together: the command line, the supervisor and the client library."""
