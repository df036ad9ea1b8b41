"""Work that outlives the talk."""
