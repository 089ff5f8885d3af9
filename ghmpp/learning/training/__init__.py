"""Training by gradient: ``gh.streams``, losses, and ``gh.train``; uses ``em``."""
