"""What daskphys is compared with: the same mathematics written by hand, and deepinv."""
