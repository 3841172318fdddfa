"""What an agent knows of what was said: summaries and facts, told and learned."""
