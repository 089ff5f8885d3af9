"""Formulas of the theory of hierarchical models: pure numbers, no inference.

``paper`` has the results of arXiv:2404.18444, as numbers and as sympy expressions.

Examples
--------
>>> import ghmpp as gh
>>> gh.theory.MeanField(v=16, m=4, s=2).critical_noise
0.8
>>> gh.theory.paper.theorem_3.value(S=2, K=1.5, d=4, L=2, delta=0.01)
129600
"""

from ghmpp.theory import paper
from ghmpp.theory.broadcast import broadcast_threshold, kesten_stigum
from ghmpp.theory.correlations import token_correlation
from ghmpp.theory.curie_weiss import (
    curie_weiss_mean_field,
    curie_weiss_means,
    curie_weiss_samples,
)
from ghmpp.theory.encoder_law import encoder_law
from ghmpp.theory.mean_field import MeanField

__all__ = [
    "MeanField",
    "broadcast_threshold",
    "curie_weiss_mean_field",
    "curie_weiss_means",
    "curie_weiss_samples",
    "encoder_law",
    "kesten_stigum",
    "paper",
    "token_correlation",
]
