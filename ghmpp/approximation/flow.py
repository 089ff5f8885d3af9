"""Numbers that add up at the nodes of a forest: errors, or bounds on spans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.routes import Routes, Step
from ghmpp.models.forest import Edge

# Twice what adding one more number may round.
_ROUNDING = 2.0**-52


@dataclass(slots=True)
class Flow:
    """Numbers that add up at nodes: one for each message, summed over siblings and edges."""

    routes: Routes
    own: Callable[[str], FloatArray] = lambda name: np.zeros(1)
    up: dict[str, FloatArray] = field(default_factory=dict)
    down: dict[str, FloatArray] = field(default_factory=dict)
    totals: dict[str, FloatArray] = field(default_factory=dict)

    def put(self, step: Step, sent: FloatArray) -> None:
        """Remember what each child node sent, or was sent."""
        (self.up if step.toward == "root" else self.down)[step.edge.child] = sent

    def sent(self, step: Step) -> FloatArray:
        """What was put, (children,)."""
        return (self.up if step.toward == "root" else self.down)[step.edge.child]

    def arriving(self, step: Step) -> FloatArray:
        """Sum at the sending end of each message, (children,)."""
        edge, forest = step.edge, self.routes.forest
        if step.toward == "root":
            total = self.own(edge.child) + self.pooled(edge.child)
            return np.broadcast_to(total, (forest.blocks[edge.child].nodes,))
        base = self.own(edge.parent) + self.down.get(edge.parent, np.zeros(1))
        base = np.broadcast_to(base, (forest.blocks[edge.parent].nodes,))
        return (base + 0.0)[forest.parent_nodes(edge)] + self.siblings(edge)

    def pooled(self, block: str) -> FloatArray:
        """Sum of all messages from below, (nodes,)."""
        if block not in self.totals:
            forest = self.routes.forest
            total = np.zeros(forest.blocks[block].nodes)
            for edge in forest.children[block]:
                if edge.child in self.up:
                    np.add.at(total, forest.parent_nodes(edge), self.up[edge.child])
            self.totals[block] = total * (1 + _ROUNDING * (self.fanout(block) - 1))
        return self.totals[block]

    def fanout(self, block: str) -> int:
        """Messages that are added up at a node."""
        return sum(edge.fanout for edge in self.routes.forest.children[block]) or 1

    def siblings(self, edge: Edge) -> FloatArray:
        """Sum of the messages from below to the parent of each child, but its own; (children,)."""
        forest = self.routes.forest
        above, nodes = forest.parent_nodes(edge), forest.blocks[edge.parent].nodes
        total, endless = np.zeros(nodes), np.zeros(nodes, dtype=np.int64)
        for each in forest.children[edge.parent]:
            if each.child in self.up:
                sent = self.up[each.child]
                finite = np.where(np.isfinite(sent), sent, 0.0)
                np.add.at(total, forest.parent_nodes(each), finite)
                np.add.at(endless, forest.parent_nodes(each), np.isinf(sent))
        own = self.up.get(edge.child, np.zeros(len(above)))
        others = total[above] - np.where(np.isfinite(own), own, 0.0)
        # The difference may have lost to rounding what the sum is large by.
        slack = 0.0 if edge.single else 4 * _ROUNDING * self.fanout(edge.parent)
        others = np.maximum(others, 0.0) + slack * total[above]
        found: FloatArray = np.where(endless[above] - np.isinf(own) > 0, np.inf, others)
        return found

    def belief(self, block: str) -> FloatArray:
        """Sum of everything at a block, (nodes,)."""
        nodes = self.routes.forest.blocks[block].nodes
        total = self.own(block) + self.pooled(block) + self.down.get(block, np.zeros(1))
        return np.broadcast_to(total, (nodes,)) + 0.0
