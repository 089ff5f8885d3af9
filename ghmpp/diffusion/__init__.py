"""Sampling by diffusion, with denoisers that are exact inference, or learned.

Examples
--------
>>> import ghmpp as gh
>>> model = gh.GHM(2, (2, 2), [[[9, 1], [1, 9]]] * 2, state_values=[-1, 1])
>>> samples = gh.diffuse(model, 20_000)
>>> gh.diffusion.total_variation(samples, model) < 0.02
True
"""

from ghmpp.diffusion.build import denoiser
from ghmpp.diffusion.checks import check_denoiser, tweedie_defect
from ghmpp.diffusion.deep_latent import DeepLatentGaussian, encoder_layers, sampler_layers
from ghmpp.diffusion.denoisers import Denoiser, FunctionDenoiser, Guided
from ghmpp.diffusion.diagnostics import ForwardBackward, forward_backward, true_posteriors
from ghmpp.diffusion.diffuse import diffuse, inpaint
from ghmpp.diffusion.discrete import Masking, Resampling
from ghmpp.diffusion.error_split import SamplingError, sampling_error
from ghmpp.diffusion.grids import read_grid
from ghmpp.diffusion.metrics import (
    bits_per_token,
    copies,
    joint_probabilities,
    kl_divergence,
    pair_total_variation,
    sampling_floor,
    site_total_variation,
    total_variation,
    validity,
)
from ghmpp.diffusion.networks import NetworkDenoiser
from ghmpp.diffusion.processes import (
    Process,
    StochasticLocalization,
    VarianceExploding,
    VariancePreserving,
)
from ghmpp.diffusion.quality import Quality, quality
from ghmpp.diffusion.samples import Samples, Trajectory
from ghmpp.diffusion.score_split import ScoreError, score_error

__all__ = [
    "DeepLatentGaussian",
    "Denoiser",
    "ForwardBackward",
    "FunctionDenoiser",
    "Guided",
    "Masking",
    "NetworkDenoiser",
    "Process",
    "Quality",
    "Resampling",
    "Samples",
    "SamplingError",
    "ScoreError",
    "StochasticLocalization",
    "Trajectory",
    "VarianceExploding",
    "VariancePreserving",
    "bits_per_token",
    "check_denoiser",
    "copies",
    "denoiser",
    "diffuse",
    "encoder_layers",
    "forward_backward",
    "inpaint",
    "joint_probabilities",
    "kl_divergence",
    "pair_total_variation",
    "quality",
    "read_grid",
    "sampler_layers",
    "sampling_error",
    "sampling_floor",
    "score_error",
    "site_total_variation",
    "total_variation",
    "true_posteriors",
    "tweedie_defect",
    "validity",
]
