"""Events and jobs between processes: one small port, two transports, and delivery that survives a crash.

A service changes its data and adds to its **outbox** in one transaction; a **relay** hands that to the **transport**;
on the other side the **inbox** makes at-least-once delivery one effect. `service_bus` is what a service is given.
"""
