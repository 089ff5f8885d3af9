"""Independent oracles, and the report that compares every engine with them."""
