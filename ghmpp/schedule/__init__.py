"""The message schedule: instructions, passes, legality, cost and pictures (no torch)."""
