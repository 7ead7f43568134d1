"""Pages in a real browser. A package, so that its instance ends before other tests begin."""
