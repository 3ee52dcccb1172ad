"""What a share costs to take and to get back, beside other ways to share between processes."""
