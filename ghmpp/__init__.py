"""ghmpp: compile hierarchical models into exact inference and into the networks that it is.

Every name below is loaded when it is first used, so that ``import ghmpp`` needs neither torch
nor any other heavy library. ``ghmpp/README.md`` explains how the package is built.

Examples
--------
>>> import ghmpp as gh
>>> model = gh.Model("weather")
>>> season = model.root("season", ["dry", "wet"])
>>> days = season.children("day", 3, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6]])
>>> gh.infer(model, {"day": [["rain", "rain", "sun"]]})["season"].round(3)
array([[0.059, 0.941]])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ghmpp._version import __version__ as __version__

if TYPE_CHECKING:
    from ghmpp import diffusion as diffusion
    from ghmpp import errors as errors
    from ghmpp import examples as examples
    from ghmpp import observables as observables
    from ghmpp import theory as theory
    from ghmpp.approximation.bounds import bounds as bounds
    from ghmpp.approximation.certificate import Certificate as Certificate
    from ghmpp.approximation.curve import width_curve as width_curve
    from ghmpp.approximation.field_certificate import FieldCertificate as FieldCertificate
    from ghmpp.approximation.report import Bounds as Bounds
    from ghmpp.backends.families.norms import operator_norms as operator_norms
    from ghmpp.backends.families.norms import project as project
    from ghmpp.compiler import compile as compile
    from ghmpp.diffusion.build import denoiser as denoiser
    from ghmpp.diffusion.diffuse import diffuse as diffuse
    from ghmpp.diffusion.diffuse import inpaint as inpaint
    from ghmpp.diffusion.error_split import sampling_error as sampling_error
    from ghmpp.diffusion.residual import residual_network as residual_network
    from ghmpp.exports.export import export as export
    from ghmpp.exports.load import load as load
    from ghmpp.exports.report import ExportReport as ExportReport
    from ghmpp.exports.verify import verify_export as verify_export
    from ghmpp.inference.beliefs import Beliefs as Beliefs
    from ghmpp.inference.circuit import arithmetic_circuit as arithmetic_circuit
    from ghmpp.inference.infer import infer as infer
    from ghmpp.inference.queries import Inference as Inference
    from ghmpp.learning.em.estimator import GHMClassifier as GHMClassifier
    from ghmpp.learning.em.fit import fit as fit
    from ghmpp.learning.experiments.ablation import ablation as ablation
    from ghmpp.learning.experiments.baselines import baseline as baseline
    from ghmpp.learning.experiments.comparison import compare_architectures as compare_architectures
    from ghmpp.learning.experiments.decomposition import decompose_risk as decompose_risk
    from ghmpp.learning.experiments.linear import linear_denoiser as linear_denoiser
    from ghmpp.learning.experiments.probe import probe as probe
    from ghmpp.learning.experiments.risk import bayes_risk as bayes_risk
    from ghmpp.learning.experiments.risk import excess_risk as excess_risk
    from ghmpp.learning.experiments.sweep import sweep as sweep
    from ghmpp.learning.experiments.sweep_picture import sweep_picture as sweep_picture
    from ghmpp.learning.training import streams as streams
    from ghmpp.learning.training.train import train as train
    from ghmpp.models import zoo as zoo
    from ghmpp.models.channels import Gaussian as Gaussian
    from ghmpp.models.channels import Localization as Localization
    from ghmpp.models.channels import LogLikelihood as LogLikelihood
    from ghmpp.models.channels import localized as localized
    from ghmpp.models.channels import noisy as noisy
    from ghmpp.models.convert import from_networkx as from_networkx
    from ghmpp.models.convert import from_pgmpy as from_pgmpy
    from ghmpp.models.evidence_files import read_evidence as read_evidence
    from ghmpp.models.evidence_files import write_evidence as write_evidence
    from ghmpp.models.files import read as read
    from ghmpp.models.files import write as write
    from ghmpp.models.gaussian import GaussianGHM as GaussianGHM
    from ghmpp.models.ghm import GHM as GHM
    from ghmpp.models.grammar import grammar as grammar
    from ghmpp.models.latent import LatentGaussian as LatentGaussian
    from ghmpp.models.layouts import morton_order as morton_order
    from ghmpp.models.linear_hierarchy import LinearHierarchy as LinearHierarchy
    from ghmpp.models.model import Model as Model
    from ghmpp.models.observations import LogLikelihoods as LogLikelihoods
    from ghmpp.models.observations import Observed as Observed
    from ghmpp.models.potentials import ChildOf as ChildOf
    from ghmpp.models.potentials import ParentOf as ParentOf
    from ghmpp.models.potentials import Table as Table
    from ghmpp.models.queries import code as code
    from ghmpp.models.queries import draw as draw
    from ghmpp.models.queries import edge as edge
    from ghmpp.models.queries import log_evidence as log_evidence
    from ghmpp.models.queries import mean as mean
    from ghmpp.models.queries import posterior as posterior
    from ghmpp.models.queries import variance as variance
    from ghmpp.models.rules import Rules as Rules
    from ghmpp.models.serialize import save as save
    from ghmpp.models.sparse_coding import SparseCoding as SparseCoding
    from ghmpp.models.spins import PairwiseSpins as PairwiseSpins
    from ghmpp.observables.cuts import mincut as mincut
    from ghmpp.observables.depth import tune_depth as tune_depth
    from ghmpp.observables.relevance import relevance as relevance
    from ghmpp.observables.schmidt import schmidt as schmidt
    from ghmpp.schedule.langevin import Langevin as Langevin
    from ghmpp.schedule.loopy import LoopyBP as LoopyBP
    from ghmpp.schedule.thresholding import ISTA as ISTA
    from ghmpp.schedule.thresholding import LISTA as LISTA
    from ghmpp.schedule.thresholding import MLISTA as MLISTA
    from ghmpp.schedule.thresholding import LayeredThresholding as LayeredThresholding
    from ghmpp.schedule.variational import TAP as TAP
    from ghmpp.schedule.variational import NaiveMeanField as NaiveMeanField
    from ghmpp.theory.encoder_law import encoder_law as encoder_law
    from ghmpp.verification.verify import verify as verify

_LAZY = {
    "Beliefs": "ghmpp.inference.beliefs",
    "Bounds": "ghmpp.approximation.report",
    "Certificate": "ghmpp.approximation.certificate",
    "ChildOf": "ghmpp.models.potentials",
    "ExportReport": "ghmpp.exports.report",
    "FieldCertificate": "ghmpp.approximation.field_certificate",
    "GHM": "ghmpp.models.ghm",
    "GHMClassifier": "ghmpp.learning.em.estimator",
    "Gaussian": "ghmpp.models.channels",
    "GaussianGHM": "ghmpp.models.gaussian",
    "ISTA": "ghmpp.schedule.thresholding",
    "Inference": "ghmpp.inference.queries",
    "LISTA": "ghmpp.schedule.thresholding",
    "Langevin": "ghmpp.schedule.langevin",
    "LatentGaussian": "ghmpp.models.latent",
    "LayeredThresholding": "ghmpp.schedule.thresholding",
    "LinearHierarchy": "ghmpp.models.linear_hierarchy",
    "Localization": "ghmpp.models.channels",
    "LogLikelihood": "ghmpp.models.channels",
    "LogLikelihoods": "ghmpp.models.observations",
    "LoopyBP": "ghmpp.schedule.loopy",
    "MLISTA": "ghmpp.schedule.thresholding",
    "Model": "ghmpp.models.model",
    "NaiveMeanField": "ghmpp.schedule.variational",
    "Observed": "ghmpp.models.observations",
    "PairwiseSpins": "ghmpp.models.spins",
    "ParentOf": "ghmpp.models.potentials",
    "Rules": "ghmpp.models.rules",
    "SparseCoding": "ghmpp.models.sparse_coding",
    "TAP": "ghmpp.schedule.variational",
    "Table": "ghmpp.models.potentials",
    "ablation": "ghmpp.learning.experiments.ablation",
    "arithmetic_circuit": "ghmpp.inference.circuit",
    "baseline": "ghmpp.learning.experiments.baselines",
    "bayes_risk": "ghmpp.learning.experiments.risk",
    "bounds": "ghmpp.approximation.bounds",
    "code": "ghmpp.models.queries",
    "compare_architectures": "ghmpp.learning.experiments.comparison",
    "compile": "ghmpp.compiler",
    "decompose_risk": "ghmpp.learning.experiments.decomposition",
    "denoiser": "ghmpp.diffusion.build",
    "diffuse": "ghmpp.diffusion.diffuse",
    "diffusion": "ghmpp.diffusion",
    "draw": "ghmpp.models.queries",
    "edge": "ghmpp.models.queries",
    "encoder_law": "ghmpp.theory.encoder_law",
    "errors": "ghmpp.errors",
    "examples": "ghmpp.examples",
    "excess_risk": "ghmpp.learning.experiments.risk",
    "export": "ghmpp.exports.export",
    "fit": "ghmpp.learning.em.fit",
    "from_networkx": "ghmpp.models.convert",
    "from_pgmpy": "ghmpp.models.convert",
    "grammar": "ghmpp.models.grammar",
    "infer": "ghmpp.inference.infer",
    "inpaint": "ghmpp.diffusion.diffuse",
    "linear_denoiser": "ghmpp.learning.experiments.linear",
    "load": "ghmpp.exports.load",
    "localized": "ghmpp.models.channels",
    "log_evidence": "ghmpp.models.queries",
    "mean": "ghmpp.models.queries",
    "mincut": "ghmpp.observables.cuts",
    "morton_order": "ghmpp.models.layouts",
    "noisy": "ghmpp.models.channels",
    "observables": "ghmpp.observables",
    "operator_norms": "ghmpp.backends.families.norms",
    "posterior": "ghmpp.models.queries",
    "probe": "ghmpp.learning.experiments.probe",
    "project": "ghmpp.backends.families.norms",
    "read": "ghmpp.models.files",
    "read_evidence": "ghmpp.models.evidence_files",
    "relevance": "ghmpp.observables.relevance",
    "sampling_error": "ghmpp.diffusion.error_split",
    "residual_network": "ghmpp.diffusion.residual",
    "save": "ghmpp.models.serialize",
    "schmidt": "ghmpp.observables.schmidt",
    "streams": "ghmpp.learning.training.streams",
    "sweep": "ghmpp.learning.experiments.sweep",
    "sweep_picture": "ghmpp.learning.experiments.sweep_picture",
    "theory": "ghmpp.theory",
    "train": "ghmpp.learning.training.train",
    "tune_depth": "ghmpp.observables.depth",
    "variance": "ghmpp.models.queries",
    "verify": "ghmpp.verification.verify",
    "verify_export": "ghmpp.exports.verify",
    "width_curve": "ghmpp.approximation.curve",
    "write": "ghmpp.models.files",
    "write_evidence": "ghmpp.models.evidence_files",
    "zoo": "ghmpp.models.zoo",
}

__all__ = [*_LAZY, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'ghmpp' has no attribute {name!r}")
    module = import_module(_LAZY[name])
    value = getattr(module, name, module)  # a namespace such as ``zoo`` is the module itself
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
