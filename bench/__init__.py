"""Measurements; those on running processes write what they found into files of `docs/`."""
