"""Mutants that may survive, each with the reason why no suite can, or need, notice it."""

JUSTIFIED: dict[str, str] = {}
