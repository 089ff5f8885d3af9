"""Models of the literature, ready made.

Examples
--------
>>> import ghmpp as gh
>>> gh.zoo.jc69()
Substitution JC69, A: 0.25, C: 0.25, G: 0.25, T: 0.25
"""

from ghmpp.models.zoo.factorised import broadcast, hidden_markov, joint_ghm, quadtree, random_ghm
from ghmpp.models.zoo.filtered import filtered_hierarchy, grouped_pairs
from ghmpp.models.zoo.newick import read_newick, write_newick
from ghmpp.models.zoo.phylogeny import phylogeny
from ghmpp.models.zoo.random_hierarchy import (
    random_hierarchy,
    sparse_random_hierarchy,
    unambiguous_rules,
)
from ghmpp.models.zoo.substitution import (
    Substitution,
    f81,
    gamma_rates,
    hky85,
    jc69,
    k80,
    substitution,
)

__all__ = [
    "Substitution",
    "broadcast",
    "f81",
    "filtered_hierarchy",
    "gamma_rates",
    "grouped_pairs",
    "hidden_markov",
    "hky85",
    "jc69",
    "joint_ghm",
    "k80",
    "phylogeny",
    "quadtree",
    "random_ghm",
    "random_hierarchy",
    "read_newick",
    "sparse_random_hierarchy",
    "substitution",
    "unambiguous_rules",
    "write_newick",
]
