"""Families of the message layer that approximate: ReLU nets with proved errors, and free ones."""
