"""What is slow or about to be: findings for `otklik doctor`, each with what, where, why and what to do."""
