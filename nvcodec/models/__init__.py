"""Networks only: one family a file. No files, no losses, no coding."""
