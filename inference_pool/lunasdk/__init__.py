"""Backend over the FaceEngine module of LUNA SDK, found by features rather than by version."""
