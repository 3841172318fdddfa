"""A local Discord, and the people in it: REST API v10 and Gateway for the real discord.py."""
