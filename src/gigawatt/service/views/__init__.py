"""What callers see of the model: flat values with the API's names, made once and printed by every edge."""
