"""Places where files are kept, one module each: a folder, an S3 bucket, a web server that only gives, memory."""
