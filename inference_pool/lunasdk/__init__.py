"""Backend using the FaceEngine module of LUNA SDK."""
