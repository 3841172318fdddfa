"""What a turn, a model call and a start cost, and what more processes bring."""
