"""The proxy to workspaces: browsers come in by a link that works once, and are passed on to the program they work in.

It is an origin of its own, on a port (or behind a name) of its own, because what a workspace serves is a person's code
and must not be able to act as the API or the console. It takes no API keys.
"""
