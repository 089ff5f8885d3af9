"""Handwritten digits: a quad-tree of patches down to the pixels, all tables to be learned."""

import ghmpp as gh
from ghmpp.models.layouts import morton_order


def model(depth: int = 3, patterns: int = 16, greys: int = 17) -> gh.Model:
    digits = gh.Model("digits")
    patch = digits.root("digit", 10)
    for level in range(1, depth):
        patch = patch.children(f"patch{level}", 4, patterns)
    patch.children("pixel", 4, range(greys), order=morton_order(2**depth))
    return digits
