import threading

print("sleeping", flush=True)
threading.Event().wait(60)
