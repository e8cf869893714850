"""The workers: Router says who, Dispatcher what next and why, Sender makes the call, Timers bring back what is due."""
