"""Run by every Python process that has this folder first on its path; does nothing without the variable."""

import os

if os.environ.get("NEMESIS_MUTANT"):
    from tests.faults.nemesis.mutants.installing import install_when_imported

    install_when_imported(os.environ["NEMESIS_MUTANT"])
