"""Training over several processes: what `processes.py` measures, and the model of it in docs/scale.md."""
