"""What people configure, checked, with the line of a mistake."""
