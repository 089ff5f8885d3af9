"""What inference returns: posteriors by class, and what follows from the same evidence."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import QueryError
from ghmpp.inference.joint import joint_posterior

if TYPE_CHECKING:
    from ghmpp.inference.queries import Inference


@dataclass(frozen=True, eq=False, repr=False)
class Beliefs:
    """Posteriors of all variables given one batch of evidence.

    ``beliefs["digit"]`` is the posterior of a class: (batch, states) for a class with one node,
    (batch, nodes, states) for others, nodes in the user's order, linear, summing to 1 over
    states. Arrays are tensors where the evidence was given as tensors. Hidden classes are not
    listed, but computed when they are asked by name. A node of a graph that is no string, such as
    ``("pixel", 3)``, is a key as well as its name ``str(node)``.

    Attributes
    ----------
    log_evidence
        Log probability of the evidence, log density for continuous observations, (batch,);
        -inf for impossible rows.
    possible
        Which rows have positive probability, (batch,); posteriors of the others are zero.
    repeated_rows
        Rows that were run again in logarithms because scaled arithmetic might have lost digits.
    """

    posteriors: Mapping[str, FloatArray]
    log_evidence: FloatArray
    possible: AnyArray
    repeated_rows: int
    engine: Inference = field(repr=False)
    evidence: object = field(repr=False)

    def __getitem__(self, variable: Hashable) -> FloatArray:
        name = str(variable)
        if name in self.posteriors:
            return self.posteriors[name]
        if name not in self.engine.model.forest().variables:
            known = ", ".join(self.engine.model.variables)
            raise QueryError(f"beliefs: unknown class {variable!r}; the model has {known}.")
        return self.engine.posteriors(self.evidence, classes=[name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.posteriors)

    def __len__(self) -> int:
        return len(self.posteriors)

    def map(self) -> dict[str, IntArray]:
        """The most probable joint configuration, see :meth:`Inference.map`."""
        return self.engine.map(self.evidence)

    def sample(self, n: int, seed: int = 0) -> dict[str, IntArray]:
        """Independent posterior samples, see :meth:`Inference.posterior_sample`."""
        return self.engine.posterior_sample(self.evidence, n, seed)

    def edge(self, parent: Hashable, child: Hashable) -> FloatArray:
        """Joint posterior on an edge, see :meth:`Inference.edge`."""
        return self.engine.edge(self.evidence, parent, child)

    def joint(self, *variables: Hashable) -> FloatArray:
        """Joint posterior of several variables that share a clique.

        (batch, states of the first, states of the second, ...); see
        :func:`ghmpp.inference.joint.joint_posterior`.

        Examples
        --------
        >>> import numpy as np
        >>> from ghmpp.inference.infer import infer
        >>> from ghmpp.models.assembly import model_of
        >>> from ghmpp.models.factors import Factor, Factors, Node
        >>> odd = np.array([[[3, 1], [1, 3]], [[1, 3], [3, 1]]])
        >>> factors = (Factor(("a", "b", "c"), odd),)
        >>> model = model_of(Factors("odd", {v: Node(2) for v in "abc"}, factors))
        >>> infer(model, {"a": [1]}).joint("c", "b")
        array([[[0.125, 0.375],
                [0.375, 0.125]]])
        """
        return joint_posterior(self.engine, self.evidence, [str(name) for name in variables])

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name}  {tuple(p.shape)}" for name, p in self.posteriors.items())
        return f"Beliefs about {self.engine.model.name!r}, batch {len(self.log_evidence)}\n{rows}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{tuple(p.shape)}</td></tr>"
            for name, p in self.posteriors.items()
        )
        title = f"Beliefs about {self.engine.model.name}, batch {len(self.log_evidence)}"
        return f"<table><caption>{title}</caption>{rows}</table>"
