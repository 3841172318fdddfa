"""The terminal as a platform: a screen where a person sits, a pipe where a program does."""
