"""`otklik demo --scale`: a year of a large desk, generated straight into the tables."""
