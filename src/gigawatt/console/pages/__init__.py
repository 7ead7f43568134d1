"""The pages, a module for each; `gigawatt.console.all_pages` lists them."""
