"""One verb per file: what a task, or ``vecferry step``, runs. Every one may be run again at any moment."""
