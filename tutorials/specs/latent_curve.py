"""A latent Gaussian model: two numbers, bent by a small network and observed with noise."""

import ghmpp as gh


def model(noise: float = 0.5) -> gh.LatentGaussian:
    inner = [[1.0, 0.3], [-0.4, 1.2]]
    outer = [[0.6, -0.2], [0.3, 0.5]]
    skip = [[1.0, 0.0], [0.0, 1.0]]  # keeps the curve from folding
    return gh.LatentGaussian([(inner, None, "tanh"), (outer, None, None, skip)], noise)
