"""Connected accounts of platforms and the adapters that speak with them."""
