"""What is given to a bank or a person to be paid: values in, the same bytes out every time."""
