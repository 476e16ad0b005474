"""The video worker: encodes a session's stored frames as a video, then runs the user's task."""
