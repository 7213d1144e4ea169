"""Collection: tests, modules and configuration that pytest does not take in."""
