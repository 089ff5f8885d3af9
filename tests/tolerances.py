"""Every tolerance of the tests, with its reason: relative where the size exceeds 1."""

from __future__ import annotations

# The same arithmetic in another order, float64.
EXACT = 1e-12
# Sums over all configurations in float64 logarithms.
ENUMERATION = 1e-10
# Another library in float64, linear domain, without our scaling.
PGMPY = 1e-9
# Automatic differentiation of the log evidence, float64.
GRADIENT = 1e-9
# Finite differences of the log evidence, step 1e-5, float64.
DIFFERENCES = 1e-6
# A network in float32 against float64.
SINGLE = 2e-4
# Frequencies in samples: standard deviations of the binomial that are allowed.
SIGMAS = 5.0
# An optimum found by a gradient search, against a closed form or a grid.
SEARCH = 1e-5
# Posteriors averaged over 8 draws of random rules, against their mean field in the limit of many
# symbols; at 16 and 32 symbols.
MEAN_FIELD = 0.03
# The same nets as convolutions, float32: sums of the same numbers in another order.
CONVOLUTIONS = 1e-6
# An exported network in float32 against the network itself: logarithms have other roundings.
EXPORTED_SINGLE = 5e-6
# Tweedie's identity: central differences of order 4, step 1e-3, of a log density, float64.
TWEEDIE = 1e-8
# Tables after a few dozen steps of a gradient, against their optimum in closed form.
TRAINED = 5e-3
# One dense linear solve against messages, float64.
DENSE = 1e-11
# Densities on a grid, against closed forms.
GRID = 1e-6
# What the default number of Langevin steps leaves of the start.
START = 1e-3
# Optimality conditions of a sparse code after 1000 steps of soft thresholding.
OPTIMALITY = 1e-7
# One pass of the same products and thresholds, scaled.
FORWARD = 1e-14
# Messages whose tanh is so near 1 that a few digits of its distance are left.
SATURATED = 1e-6
