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

if TYPE_CHECKING:
    from ghmpp import errors as errors
    from ghmpp import examples as examples
    from ghmpp.compiler import compile as compile
    from ghmpp.compiler import edge as edge
    from ghmpp.compiler import log_evidence as log_evidence
    from ghmpp.compiler import mean as mean
    from ghmpp.compiler import posterior as posterior
    from ghmpp.inference.beliefs import Beliefs as Beliefs
    from ghmpp.inference.queries import Inference as Inference
    from ghmpp.inference.queries import infer as infer
    from ghmpp.learning.em import fit as fit
    from ghmpp.learning.estimator import GHMClassifier as GHMClassifier
    from ghmpp.models.channels import Gaussian as Gaussian
    from ghmpp.models.channels import Localization as Localization
    from ghmpp.models.channels import LogLikelihood as LogLikelihood
    from ghmpp.models.channels import localized as localized
    from ghmpp.models.channels import noisy as noisy
    from ghmpp.models.convert import from_networkx as from_networkx
    from ghmpp.models.convert import from_pgmpy as from_pgmpy
    from ghmpp.models.ghm import GHM as GHM
    from ghmpp.models.layouts import morton_order as morton_order
    from ghmpp.models.model import Model as Model
    from ghmpp.models.observations import LogLikelihoods as LogLikelihoods
    from ghmpp.models.observations import Observed as Observed
    from ghmpp.models.potentials import ChildOf as ChildOf
    from ghmpp.models.potentials import ParentOf as ParentOf
    from ghmpp.models.potentials import Table as Table
    from ghmpp.models.serialize import load as load
    from ghmpp.models.serialize import save as save
    from ghmpp.verification.verify import verify as verify

__version__ = "0.1.0"

_LAZY = {
    "Beliefs": "ghmpp.inference.beliefs",
    "ChildOf": "ghmpp.models.potentials",
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
    "Table": "ghmpp.models.potentials",
    "compile": "ghmpp.compiler",
    "edge": "ghmpp.compiler",
    "errors": "ghmpp.errors",
    "examples": "ghmpp.examples",
    "fit": "ghmpp.learning.em",
    "from_networkx": "ghmpp.models.convert",
    "from_pgmpy": "ghmpp.models.convert",
    "infer": "ghmpp.inference.queries",
    "load": "ghmpp.models.serialize",
    "localized": "ghmpp.models.channels",
    "log_evidence": "ghmpp.compiler",
    "mean": "ghmpp.compiler",
    "morton_order": "ghmpp.models.layouts",
    "noisy": "ghmpp.models.channels",
    "posterior": "ghmpp.compiler",
    "save": "ghmpp.models.serialize",
    "verify": "ghmpp.verification.verify",
}

__all__ = [*_LAZY, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'ghmpp' has no attribute {name!r}")
    module = import_module(_LAZY[name])
    value = module if module.__name__ == f"ghmpp.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
