"""One answer, from the lease on its conversation to its delivery."""
