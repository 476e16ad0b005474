"""The life cycle of sessions: frames and answers, and how another gateway continues them."""
