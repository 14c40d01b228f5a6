"""The database: what was done, what an open case needs, and who is a deleted member. On SQLite or PostgreSQL."""
