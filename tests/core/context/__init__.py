"""Tests of core/context."""
