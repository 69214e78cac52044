"""
Which connections and datagrams are served: limits on sources, and rules on addresses. No I/O.
"""
