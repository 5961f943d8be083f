"""Side-by-side runs against the peers: `python -m benchmarks NAME [--quick] [--json FILE] [--markdown FILE]`."""
