"""From a folder of files to arrays of pictures, and to training batches."""
