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
    from ghmpp.approximation.report import Bounds as Bounds
    from ghmpp.backends.families.norms import operator_norms as operator_norms
    from ghmpp.backends.families.norms import project as project
    from ghmpp.compiler import compile as compile
    from ghmpp.diffusion.build import denoiser as denoiser
    from ghmpp.diffusion.diffuse import diffuse as diffuse
    from ghmpp.diffusion.diffuse import inpaint as inpaint
    from ghmpp.exports.export import export as export
    from ghmpp.exports.load import load as load
    from ghmpp.exports.report import ExportReport as ExportReport
    from ghmpp.exports.verify import verify_export as verify_export
    from ghmpp.inference.beliefs import Beliefs as Beliefs
    from ghmpp.inference.infer import infer as infer
    from ghmpp.inference.queries import Inference as Inference
    from ghmpp.learning import streams as streams
    from ghmpp.learning.ablation import ablation as ablation
    from ghmpp.learning.baselines import baseline as baseline
    from ghmpp.learning.comparison import compare_architectures as compare_architectures
    from ghmpp.learning.decomposition import decompose_risk as decompose_risk
    from ghmpp.learning.em import fit as fit
    from ghmpp.learning.estimator import GHMClassifier as GHMClassifier
    from ghmpp.learning.linear import linear_denoiser as linear_denoiser
    from ghmpp.learning.probe import probe as probe
    from ghmpp.learning.risk import bayes_risk as bayes_risk
    from ghmpp.learning.risk import excess_risk as excess_risk
    from ghmpp.learning.sweep import sweep as sweep
    from ghmpp.learning.sweep_picture import sweep_picture as sweep_picture
    from ghmpp.learning.train import train as train
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
    from ghmpp.models.ghm import GHM as GHM
    from ghmpp.models.grammar import grammar as grammar
    from ghmpp.models.layouts import morton_order as morton_order
    from ghmpp.models.model import Model as Model
    from ghmpp.models.observations import LogLikelihoods as LogLikelihoods
    from ghmpp.models.observations import Observed as Observed
    from ghmpp.models.potentials import ChildOf as ChildOf
    from ghmpp.models.potentials import ParentOf as ParentOf
    from ghmpp.models.potentials import Table as Table
    from ghmpp.models.queries import edge as edge
    from ghmpp.models.queries import log_evidence as log_evidence
    from ghmpp.models.queries import mean as mean
    from ghmpp.models.queries import posterior as posterior
    from ghmpp.models.rules import Rules as Rules
    from ghmpp.models.serialize import save as save
    from ghmpp.verification.verify import verify as verify

_LAZY = {
    "Beliefs": "ghmpp.inference.beliefs",
    "Bounds": "ghmpp.approximation.report",
    "Certificate": "ghmpp.approximation.certificate",
    "ChildOf": "ghmpp.models.potentials",
    "ExportReport": "ghmpp.exports.report",
    "GHM": "ghmpp.models.ghm",
    "GHMClassifier": "ghmpp.learning.estimator",
    "Gaussian": "ghmpp.models.channels",
    "Inference": "ghmpp.inference.queries",
    "Localization": "ghmpp.models.channels",
    "LogLikelihood": "ghmpp.models.channels",
    "LogLikelihoods": "ghmpp.models.observations",
    "Model": "ghmpp.models.model",
    "Observed": "ghmpp.models.observations",
    "ParentOf": "ghmpp.models.potentials",
    "Rules": "ghmpp.models.rules",
    "Table": "ghmpp.models.potentials",
    "ablation": "ghmpp.learning.ablation",
    "baseline": "ghmpp.learning.baselines",
    "bayes_risk": "ghmpp.learning.risk",
    "bounds": "ghmpp.approximation.bounds",
    "compare_architectures": "ghmpp.learning.comparison",
    "compile": "ghmpp.compiler",
    "decompose_risk": "ghmpp.learning.decomposition",
    "denoiser": "ghmpp.diffusion.build",
    "diffuse": "ghmpp.diffusion.diffuse",
    "diffusion": "ghmpp.diffusion",
    "edge": "ghmpp.models.queries",
    "errors": "ghmpp.errors",
    "examples": "ghmpp.examples",
    "excess_risk": "ghmpp.learning.risk",
    "export": "ghmpp.exports.export",
    "fit": "ghmpp.learning.em",
    "from_networkx": "ghmpp.models.convert",
    "from_pgmpy": "ghmpp.models.convert",
    "grammar": "ghmpp.models.grammar",
    "infer": "ghmpp.inference.infer",
    "inpaint": "ghmpp.diffusion.diffuse",
    "linear_denoiser": "ghmpp.learning.linear",
    "load": "ghmpp.exports.load",
    "localized": "ghmpp.models.channels",
    "log_evidence": "ghmpp.models.queries",
    "mean": "ghmpp.models.queries",
    "morton_order": "ghmpp.models.layouts",
    "noisy": "ghmpp.models.channels",
    "observables": "ghmpp.observables",
    "operator_norms": "ghmpp.backends.families.norms",
    "posterior": "ghmpp.models.queries",
    "probe": "ghmpp.learning.probe",
    "project": "ghmpp.backends.families.norms",
    "read": "ghmpp.models.files",
    "read_evidence": "ghmpp.models.evidence_files",
    "save": "ghmpp.models.serialize",
    "streams": "ghmpp.learning.streams",
    "sweep": "ghmpp.learning.sweep",
    "sweep_picture": "ghmpp.learning.sweep_picture",
    "theory": "ghmpp.theory",
    "train": "ghmpp.learning.train",
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
