"""What runs a schedule: the reference interpreter and the torch network."""
