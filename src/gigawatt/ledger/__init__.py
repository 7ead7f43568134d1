"""Device-seconds: every installed one is in exactly one class. Pure arithmetic on integers."""
