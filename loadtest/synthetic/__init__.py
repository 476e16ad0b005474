"""The synthetic person: a portrait on a head of triangles, rendered frame by frame."""
