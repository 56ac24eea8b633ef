"""Joins a Wi-Fi network: in memory only while there is none."""

from firmware.core.joiner import Joiner


class WifiJoining:
    """`control`: a driver, see drivers.wifi_control; `networks`: normalized items of the config; `index`: the one that
    was joined before, -1 for none."""

    def __init__(self, control, networks, say, now, index):
        self.control = control
        self.networks = networks
        self.say = say
        self.started = False
        self.policy = Joiner(len(networks), now, index)

    def step(self, up, bits, now):
        """Take the next step, if it is time for one. DriverError."""
        control = self.control
        if not self.started:
            control.start()
            self.started = True
        action, index = self.policy.step(up, bits, now) or (None, 0)
        if action == "join":
            network = self.networks[index]
            self.say("info", "Wi-Fi: joining %s" % network["ssid"])
            control.connect(network["ssid"], network["password"].reveal())
        elif action:
            self.say("warning", "Wi-Fi: %s" % control.status())
            if action == "restart":
                control.restart()
            else:
                control.disconnect()
