"""Sessions: their state, frames and answers, and how another gateway continues them."""
