"""The commands: each module carries one out with its `run`, which gives the exit status."""
