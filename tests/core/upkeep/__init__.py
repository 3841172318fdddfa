"""Tests of core/upkeep."""
