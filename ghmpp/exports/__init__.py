"""Networks as files that others can run, and back: weights, ONNX, torch programs, pictures."""
