"""What the benchmark's table maker and its cases share."""
