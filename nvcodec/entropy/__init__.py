"""Parameters and latents to bytes and back: integer probability tables and the rANS coder with its slow twin."""
