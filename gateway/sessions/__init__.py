"""A session's state, its frames and answers, and where it goes on when its gateway dies."""
