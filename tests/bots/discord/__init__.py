"""Slack: the real SDK against the peer."""
