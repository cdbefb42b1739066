"""Where networks, fitting and coding meet: a group of frames <-> a group's payload; one codec a file."""
