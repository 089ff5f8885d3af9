"""The command ``ghmpp``: parse, call one function of the library, print. No logic lives here."""
