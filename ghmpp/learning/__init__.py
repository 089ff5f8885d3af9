"""Fitting free tables and symbols to data."""
