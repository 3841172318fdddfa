"""A local Slack, and the people in it: Web API, Socket Mode and Events API for the real SDK."""
