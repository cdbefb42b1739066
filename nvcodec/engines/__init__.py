"""Where groups run. A job is a pure function from frames and a spec to a payload."""
