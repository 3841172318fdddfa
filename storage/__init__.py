"""What survives a redeploy: the tables, and one file of verbs for each noun."""
