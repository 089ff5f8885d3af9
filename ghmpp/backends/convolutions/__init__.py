"""Networks of regular models in the standard form: plain convolutions, ranks as channel groups."""
