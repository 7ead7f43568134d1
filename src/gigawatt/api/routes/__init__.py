"""Routes by noun. Each parses a request, calls one verb, and writes down what it returned."""
