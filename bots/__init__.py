"""Every way in and out: platforms, the terminal, the command line."""
