"""Questions that users ask of a compiled model, and the evidence they bring."""
