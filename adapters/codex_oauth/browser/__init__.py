"""The person's side of the browser flow: which flow suits the place, the page to open, a redirect pasted."""
