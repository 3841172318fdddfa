"""What differs between databases: connections, locks, transactions, errors."""
