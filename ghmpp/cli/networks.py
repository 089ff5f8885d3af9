"""What ``ghmpp compile --family`` prints and writes."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ghmpp.compiler import Program


def emit_network(program: Program, arguments: Namespace) -> int:
    """Make the network of a family, print it with its certificate, and export it."""
    import ghmpp as gh

    wanted = {
        "delta": arguments.delta,
        "width": arguments.width,
        "dtype": arguments.dtype,
    }
    options: dict[str, Any] = {k: v for k, v in wanted.items() if v is not None}
    family: Any = arguments.family or "exact"
    if family != "exact":
        options |= {
            "budget": arguments.budget,
            "construction": arguments.construction,
            "evidence_span": arguments.evidence_span,
        }
    if family == "trainable":
        options |= {"init": arguments.init, "seed": arguments.seed}
    network = program.network(family, **options)
    print(network)
    if network.certificate is not None:
        print(network.certificate)
    if arguments.export is not None:
        report = gh.export(
            network,
            arguments.export,
            formats=None if arguments.formats is None else arguments.formats.split(","),
            overwrite=arguments.overwrite,
        )
        print(report)
        print(f"written to {arguments.export}", file=sys.stderr)
    return 0
