"""Judging what was learned: risks, baselines, ablations, probes, sweeps; uses the other two."""
