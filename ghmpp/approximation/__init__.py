"""Piecewise-linear networks that stand for messages, and how far they lead from exact inference."""
