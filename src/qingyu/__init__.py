"""Qingyu: Chinese language understanding on the computers people already have."""

__version__ = "0.1.0"
