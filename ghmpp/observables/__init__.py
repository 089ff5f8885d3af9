"""What physicists and linguists measure on a hierarchical model, from exact inference.

Examples
--------
>>> import ghmpp as gh
>>> model = gh.zoo.broadcast(depth=2, flip=0.1)
>>> gh.observables.prefix_posteriors(model, [[0, 0, 0, 1]])[0].round(3)
array([[0.5 , 0.5 ],
       [0.82, 0.18],
       [0.75, 0.25],
       [0.88, 0.12]])
"""

from ghmpp.observables.correlations import (
    pair_probabilities,
    sampled_pair_probabilities,
    token_correlations,
)
from ghmpp.observables.depth import Depths, tune_depth
from ghmpp.observables.identifiability import Identifiability, identifiability
from ghmpp.observables.information import (
    fisher_information,
    log_evidence_gradient,
    log_evidence_hessian,
)
from ghmpp.observables.prefixes import prefix_posteriors
from ghmpp.observables.sensitivity import sensitivity
from ghmpp.observables.softening import softened
from ghmpp.observables.susceptibility import change_correlations, susceptibility

__all__ = [
    "Depths",
    "Identifiability",
    "change_correlations",
    "fisher_information",
    "identifiability",
    "log_evidence_gradient",
    "log_evidence_hessian",
    "pair_probabilities",
    "prefix_posteriors",
    "sampled_pair_probabilities",
    "sensitivity",
    "softened",
    "susceptibility",
    "token_correlations",
    "tune_depth",
]
