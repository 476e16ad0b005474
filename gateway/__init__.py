"""The gateway: WebSocket connections, sessions, frame intake and dispatch to the workers."""
