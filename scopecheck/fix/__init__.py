"""Turns wanted changes into text: edits to a file, statements rewritten, diffs, and files on disk.

    edit        a span of a file and what stands there afterwards (`scopecheck.finding.Edit`)
    change      one file before and after, as bytes
    rewriting   new text for one expression, statement or import, made with libcst

libcst sees the piece that is rewritten and nothing else. What it does not print back unchanged is
not rewritten (`Withheld`); what lies outside an edit stays as it is, byte for byte. This is the
only package that imports libcst, but for `scopecheck.newer`. Its modules `edits`, `diff`, `files`
and `workspace` do without.
"""
