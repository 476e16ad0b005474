"""The synthetic person: frames rendered from a portrait on a triangle mesh."""
