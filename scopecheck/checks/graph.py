"""Fixture graph: requests that nothing answers, cycles, and definitions that nothing requests."""
