"""The demonstration behind ``ghmpp demo``: one model of handwritten digits, start to finish."""
