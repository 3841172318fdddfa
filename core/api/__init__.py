"""Agents from Python, and the runtime of the program that uses them."""
