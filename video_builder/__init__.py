"""The archivist: stored session frames become one video file, then the user's task runs."""
