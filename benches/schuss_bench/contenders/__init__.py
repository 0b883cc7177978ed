"""The contenders: a module each, with ``prepare(case, variant)``, which returns what `timing.repeat` does."""
