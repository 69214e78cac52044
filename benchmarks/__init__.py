"""
The measured comparison with other servers: C{python -m benchmarks}, in the checkout.
"""
