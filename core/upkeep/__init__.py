"""What is done now and then, by one of all processes."""
