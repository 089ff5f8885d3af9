"""The exact engines of pgmpy, compiled: the same names and arguments, also in batches.

What differs from pgmpy is listed, with reasons, at each class and function.
"""

from ghmpp.pgmpy.elimination import VariableElimination
from ghmpp.pgmpy.frames import predict, predict_probability, simulate
from ghmpp.pgmpy.passing import BeliefPropagationWithMessagePassing
from ghmpp.pgmpy.propagation import BeliefPropagation

__all__ = [
    "BeliefPropagation",
    "BeliefPropagationWithMessagePassing",
    "VariableElimination",
    "predict",
    "predict_probability",
    "simulate",
]
