"""Formulas of the theory of hierarchical models: pure numbers, no inference.

Examples
--------
>>> import ghmpp as gh
>>> gh.theory.MeanField(v=16, m=4, s=2).critical_noise
0.8
"""

from ghmpp.theory.broadcast import broadcast_threshold, kesten_stigum
from ghmpp.theory.correlations import token_correlation
from ghmpp.theory.mean_field import MeanField

__all__ = ["MeanField", "broadcast_threshold", "kesten_stigum", "token_correlation"]
