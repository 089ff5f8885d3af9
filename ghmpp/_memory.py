"""How much memory there is, and how what needs more is refused before it starts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ghmpp.errors import ResourceError

# What a container may use, in either version of control groups of Linux; "max" is no limit.
GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def physical_memory() -> int | None:
    """Bytes of memory that this machine, or the container, has; None where nothing says it.

    All of it, not what is free now: free memory leaves out the caches that a run may take over.
    """
    known = [_group_limit(path) for path in GROUP_LIMITS]
    with suppress(AttributeError, ValueError, OSError):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((limit for limit in known if limit is not None), default=None)


def _group_limit(path: Path) -> int | None:
    """Bytes that a control group allows; None where there is no such group or limit."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def bytes_text(count: int) -> str:
    """A number of bytes in binary units, such as ``"8.5 KiB"``.

    Examples
    --------
    >>> bytes_text(512), bytes_text(8704)
    ('512 B', '8.5 KiB')
    """
    if count < 1024:
        return f"{count} B"
    size, unit = float(count), 0
    while size >= 1024 and unit < 5:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"


def require_bytes(needed: int, what: str, *, cure: str, largest: str) -> None:
    """Refuse what needs more than the machine's physical memory, where that is known.

    Parameters
    ----------
    needed
        Bytes.
    what, cure, largest
        As for :func:`too_big`.

    Raises
    ------
    ResourceError
        With the memory needed, the limit, the cure and the largest part.
    """
    limit = physical_memory()
    if limit is not None and needed > limit:
        raise too_big(what, needed, limit, cure=cure, largest=largest)


def too_big(
    what: str, needed: int, limit: int, *, cure: str, largest: str, detail: str = ""
) -> ResourceError:
    """The error for what needs more memory than allowed.

    Parameters
    ----------
    what
        What needs it, with the verb: "sample: 5 rows of 'tree' need".
    needed, limit
        Bytes.
    cure
        What helps.
    largest
        What takes the most: "class: 'pixel' with 64 nodes of 17 states".
    detail
        How ``needed`` is made up.

    Examples
    --------
    >>> print(too_big("a list needs", 2048, 9, cure="shorten it", largest="item: 'b'"))
    a list needs 2.0 KiB, but the limit is 9 B; shorten it; largest item: 'b'.
    """
    made_up = f" ({detail})" if detail else ""
    return ResourceError(
        f"{what} {bytes_text(needed)}{made_up}, but the limit is {bytes_text(limit)}; {cure}; "
        f"largest {largest}."
    )
