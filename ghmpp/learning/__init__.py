"""Learning from data: ``experiments`` use ``training``, which uses ``em``; never the other way."""
