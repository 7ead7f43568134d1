"""Which replica, and how many: pure policy shared by gateway, reconcile and twin."""
