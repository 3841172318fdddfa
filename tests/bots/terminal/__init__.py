"""Tests of bots/terminal/."""
