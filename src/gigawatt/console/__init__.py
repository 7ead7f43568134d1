"""HTML for people: pages that work by GET alone, kept current while they are open. Verbs are called as the API calls them."""
