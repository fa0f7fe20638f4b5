"""Measurements, run as `python -m bench.NAME` from the root; they tell and do not judge."""
