"""Backend that runs open models with onnxruntime on one thread."""
