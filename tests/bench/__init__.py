"""The benchmarks run and find what they say they measure; never how fast."""
