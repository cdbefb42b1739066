"""Fits a network to a group of frames: objective, quantisation in the loop, schedules. No files, no containers."""
