"""Models behind servers of the Open Inference Protocol v2 (Triton and kin), over gRPC."""
