"""Storage on real databases: SQLite always, PostgreSQL and MySQL where they are switched on."""
