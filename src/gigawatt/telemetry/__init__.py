"""What the system says of itself: metrics by the names of one table, and structured logs."""
