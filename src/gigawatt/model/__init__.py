"""The nouns: frozen values that every layer shares. No behaviour that needs a clock, chance or I/O."""
