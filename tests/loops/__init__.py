"""The event loops of async fixtures and tests: what pytest-asyncio does, held against scopecheck.

generator   a number into a project
server      runs pytest on projects, in the environment of one version; `probe` is its plugin
client      starts servers
predict     scopecheck's answer to the same questions
compare     how the two differ
matrix      many projects, all versions, one table
"""
