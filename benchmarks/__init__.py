"""
The comparison of this server with others: C{python -m benchmarks}, in a checkout.
"""
