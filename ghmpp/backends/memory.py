"""Memory of a run, as the C library gives it: kept from chunk to chunk, and used again."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from math import prod

import numpy as np
import torch
from torch import Tensor

KEPT_BYTES = 31 * 2**20
M_TRIM_THRESHOLD, KEPT_END = -1, 2**28
# Smaller blocks leave smaller holes, and asking numpy takes longer.
LARGE_ELEMENTS = 2**17
KINDS = {torch.float32: np.float32, torch.float64: np.float64}


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next chunk, instead of giving it back.

    glibc returns blocks to the system from a size on that grows to the largest block freed so
    far, 32 MiB at most; below it, every chunk pays for its memory again in page faults. The block
    freed here is never touched, so it costs nothing. Where other code has left the heap large,
    what lies free at its end would be returned too, up to ``KEPT_END`` of it stays. Other C
    libraries are left as they are.
    """
    torch.empty(KEPT_BYTES, dtype=torch.uint8)
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, KEPT_END)


def room(like: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """Memory for a large value (``out=``), into which freed memory of the same size fits.

    torch asks for aligned memory, and glibc looks for that only in holes that are larger than
    what is asked for. So the holes that the values of one chunk leave are too small for the same
    values of the next, and the heap grows to twice what is in use. numpy asks without alignment,
    and gets a hole of exactly its size; on blocks so large the alignment gains nothing.

    Parameters
    ----------
    like
        A tensor of the same dtype and device.
    shape
        Shape of the value.

    Returns
    -------
    tensor or None
        A contiguous tensor with any entries; None where torch may as well ask itself: for a small
        value, outside inference mode (gradients are not for ``out=``), and not on a CPU.

    Examples
    --------
    >>> with torch.inference_mode():
    ...     room(torch.empty(0), (8, 27, 1000)).shape
    torch.Size([8, 27, 1000])
    """
    kind = KINDS.get(like.dtype)
    large = kind is not None and prod(shape) >= LARGE_ELEMENTS
    if not (large and torch.is_inference_mode_enabled() and like.is_cpu):
        return None
    return torch.from_numpy(np.empty(shape, kind))


def empty(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Memory for a value of any size, see :func:`room`."""
    found = room(like, shape)
    return like.new_empty(shape) if found is None else found
