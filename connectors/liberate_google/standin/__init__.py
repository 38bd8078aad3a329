"""A stand-in for Google on this machine."""
