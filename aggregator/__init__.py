"""The judge: plugins fold the estimates of a session into a verdict."""
