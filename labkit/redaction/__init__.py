"""Text without what is nobody else's business."""
