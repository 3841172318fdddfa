"""Tests of the peers: each is held against the real SDK that will talk to it."""
