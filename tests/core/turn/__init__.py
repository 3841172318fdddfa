"""Tests of core/turn."""
