"""Asks pytest itself what it resolves: any project, any installed pytest, in a few hundredths of a
second.

    plugin  a pytest plugin that records what pytest resolves
    dump    the record
    server  a warm process that forks for each run
"""
