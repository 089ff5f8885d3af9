"""Schedules in the linear domain as arithmetic circuits: sums and products, nothing else."""
