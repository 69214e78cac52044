"""
The tests. They are a package because C{trial tests} imports one.
"""
