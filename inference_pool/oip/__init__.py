"""Models on servers of the Open Inference Protocol v2, such as Triton, over gRPC."""
