"""File formats of other programs: each module turns text into factors, and factors into text."""
