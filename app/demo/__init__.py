"""A story to look at: people, channels with platforms of their own, customers who keep writing."""
