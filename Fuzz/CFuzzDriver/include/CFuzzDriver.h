// Nothing to call from Swift: the target only carries the program's start.
