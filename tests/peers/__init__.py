"""Local servers that the real packages cannot tell from the real thing."""
