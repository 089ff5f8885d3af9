"""Array types and the checks that every border of the package shares."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
ObjectArray: TypeAlias = NDArray[np.object_]
AnyArray: TypeAlias = NDArray[Any]


def read_only(array: AnyArray) -> AnyArray:
    """The array itself, made read-only, so that records that hold it are immutable."""
    array.setflags(write=False)
    return array
