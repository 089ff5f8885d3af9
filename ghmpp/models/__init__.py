"""The declaration of a model and the forest of variables that it means (no torch)."""
