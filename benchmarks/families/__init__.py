"""Cases of one family of operators each; `benchmarks.operators` finds them."""
