"""What the API of functions decides: requests read, changes made, answers shown. Pure functions."""
