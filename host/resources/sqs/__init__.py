"""Queues of functions on SQS, standard and FIFO: to send to, and to listen to."""
