"""Definitions: fixtures and tests that are lost, repeated, called, marked or wrongly written."""
