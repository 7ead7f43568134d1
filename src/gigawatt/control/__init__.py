"""The loop: leadership, the inbox, the cycle, its commits, and the actions that follow them."""
