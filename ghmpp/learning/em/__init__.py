"""Expectation maximisation: ``gh.fit`` and the scikit-learn estimator around it."""
