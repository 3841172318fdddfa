"""Tests of storage/drivers."""
