"""``make demo``: a whole migration on real parts, on this machine, with an application that never stops.

Everything lies under ``.vecferry/``; every process that it starts ends with it.
"""
