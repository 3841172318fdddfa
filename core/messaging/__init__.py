"""From a platform to the inbox: messages, who may ask, which agent answers."""
