"""A CRM's records and the files that hold them."""
