"""What the benchmarks' numbers mean, what they promise, and how they are shown."""
