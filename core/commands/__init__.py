"""What people can ask of Moorings itself, and what they press below an answer."""
