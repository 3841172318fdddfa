"""Discord: the ways in and out, on discord.py."""
