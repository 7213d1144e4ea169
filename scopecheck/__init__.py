"""scopecheck: a static analyser for pytest suites."""

__version__ = "0.1.0"
