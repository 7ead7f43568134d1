"""Effects on machines: the engine protocol, its conformance suite, and the engines."""
