"""
The tests. A package, as C{trial tests} wants it.
"""
