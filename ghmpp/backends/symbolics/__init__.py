"""Schedules as formulas to read, and as source text to run: LaTeX, numpy, torch and C."""
