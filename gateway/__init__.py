"""The door: WebSocket sessions, frame intake, slots and dispatch to the workers."""
