"""One session and its frames: its data, its states, and the methods that change them."""
