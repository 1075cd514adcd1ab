"""The judge of the demo. It imports nothing of vecferry: whoever checks a tool with the tool's own eyes finds nothing.

It reads Weaviate by raw REST, replays the application's own history file, and embeds every object anew at the provider.
As a program: ``PYTHONPATH=<the folder above> python -m checker …``, so that not even vecferry's ``__init__`` is imported.
"""
