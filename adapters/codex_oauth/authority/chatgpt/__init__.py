"""The rules of the official "Sign in with ChatGPT" for open-source tools, as our authority keeps them."""
