"""Instructions on fields in torch: linear maps, functions at each node, and repetitions."""
