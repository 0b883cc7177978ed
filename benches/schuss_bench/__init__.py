"""schuss beside its peers: what is measured, how, and how it is shown. `benches/bench.py` is the command."""
