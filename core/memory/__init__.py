"""What an agent has of what was said: found again by words, summaries, facts told and learned."""
